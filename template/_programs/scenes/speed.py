"""What `bench` times of inference: what is found in one picture."""

import torch
from torch import nn

from .answers import answers
from .config import Config
from .data import synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "images"
QUANTITIES = {
    "latency_s": ("inference", "s/image"),
    "samples_per_s": ("inference", "images/s"),
}


@torch.inference_mode()
def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time of one picture, up to what its queries or its pixels are."""
    images = workers.move(synthetic_batch(config, 1, config.seed))["images"]
    images = images.to(next(model.parameters()).dtype)
    seconds = median_seconds(lambda: answers(model, images), workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
