"""What `bench` times: one decision after as many steps as the model sees."""

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
    """Time to decide on one step."""
    batch = workers.move(synthetic_batch(config, 1, config.seed))
    actions = model.encode(batch["actions"])

    def decide() -> None:
        model(batch["states"], actions, batch["returns"], batch["times"])

    seconds = median_seconds(decide, workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
