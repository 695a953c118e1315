"""What `bench` times: the answer to one sample."""

from torch import nn

from .config import Config
from .data import UNITS, synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNIT = UNITS.removesuffix("s")
QUANTITIES = {
    "latency_s": ("inference", f"s/{UNIT}"),
    "samples_per_s": ("inference", f"{UNITS}/s"),
}


def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time of one sample, all the nodes that it takes included."""
    batch = workers.move(synthetic_batch(config, 1, config.seed))
    dtype = next(model.parameters()).dtype
    batch = {n: t.to(dtype) if n == "nodes" else t for n, t in batch.items()}
    seconds = median_seconds(lambda: model(batch), workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
