"""What `bench` times of inference: one sample at a time."""

import torch
from torch import nn

from .config import Config
from .data import INPUT, synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "samples"
QUANTITIES = {
    "latency_s": ("inference", "s/sample"),
    "samples_per_s": ("inference", "samples/s"),
}


@torch.inference_mode()
def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time to classify one sample."""
    sample = workers.move(synthetic_batch(config, 1, config.seed))[INPUT]
    seconds = median_seconds(lambda: model(sample), workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
