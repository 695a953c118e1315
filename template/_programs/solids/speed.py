"""What of inference `bench` times: one shape, from what is wanted to its last denoising step."""

import torch
from torch import nn

from .config import Config
from .data import synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "shapes"
QUANTITIES = {
    "latency_s": ("one shape", "s"),
    "samples_per_s": ("generation", "shapes/s"),
}


def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time of all denoising steps of one shape, with reading what is wanted."""
    batch = workers.move(synthetic_batch(config, 1, config.seed))
    del batch["shapes"]  # which training alone reads

    def shape() -> torch.Tensor:
        return model.generate(batch, config.sampling_steps, config.guidance_scale)

    seconds = median_seconds(shape, workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
