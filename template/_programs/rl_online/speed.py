"""What `bench` times: one decision."""

from torch import nn

from .config import Config
from .data import synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "environment steps"
QUANTITIES = {
    "latency_s": ("one decision", "s"),
    "samples_per_s": ("decisions", "1/s"),
}


def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time to decide on one observation."""
    seen = workers.move(synthetic_batch(config, 1, config.seed))["observations"]
    seconds = median_seconds(lambda: model(seen), workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
