"""What `bench` times: the answer to one row."""

from torch import nn

from .config import Config
from .data import UNITS, synthetic_batch
from .parallel import Workers
from .timing import median_seconds

QUANTITIES = {
    "latency_s": ("inference", "s/row"),
    "samples_per_s": ("inference", f"{UNITS}/s"),
}


def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time of one row."""
    batch = workers.move(synthetic_batch(config, 2, config.seed))
    batch = {name: tensor[:1] for name, tensor in batch.items()}
    batch["numbers"] = batch["numbers"].to(next(model.parameters()).dtype)
    seconds = median_seconds(lambda: model(batch), workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
