"""What `bench` times: one user's and one item's vector, and their score."""

from torch import nn

from .config import Config
from .data import UNITS, synthetic_batch
from .parallel import Workers
from .timing import median_seconds

QUANTITIES = {
    "latency_s": ("inference", "s/interaction"),
    "samples_per_s": ("inference", f"{UNITS}/s"),
}


def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time of one interaction."""
    batch = workers.move(synthetic_batch(config, 1, config.seed))
    seconds = median_seconds(lambda: model(batch), workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
