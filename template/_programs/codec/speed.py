"""What `bench` times of inference: one clip to codes and back."""

import torch
from torch import nn

from .config import Config
from .data import synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "clips"
QUANTITIES = {
    "latency_s": ("inference", "s/clip"),
    "samples_per_s": ("inference", "clips/s"),
}


@torch.inference_mode()
def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time of one clip."""
    waveform = workers.move(synthetic_batch(config, 1, config.seed))["waveform"]
    waveform = waveform.to(next(model.parameters()).dtype)
    seconds = median_seconds(lambda: model(waveform), workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
