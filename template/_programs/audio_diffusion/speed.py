"""What of inference `bench` times: one sound, from what is told of it to its samples."""

import torch
from torch import nn

from .config import Config
from .data import synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "clips"
QUANTITIES = {
    "latency_s": ("one clip", "s"),
    "samples_per_s": ("inference", "clips/s"),
}
TAUGHT = ("waveform", "posterior_noise", "quantiles", "dropped")  # what training alone reads


def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Seconds of all denoising steps of one clip, with what is told and the decoder."""
    batch = workers.move(synthetic_batch(config, 1, config.seed))
    batch = {name: x.clone() for name, x in batch.items() if name not in TAUGHT}

    def clip() -> torch.Tensor:
        steps, scale = config.sampling_steps, config.guidance_scale
        return model.generate(batch, batch["noise"], steps, scale)

    seconds = median_seconds(clip, workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
