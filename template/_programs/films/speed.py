"""What of inference `bench` times: one clip, from its prompt to its frames."""

import torch
from torch import nn

from .config import Config
from .data import synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "clips"
QUANTITIES = {
    "latency_s": ("one clip", "s"),
    "samples_per_s": ("generation", "frames/s"),
}


def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time of all denoising steps of one clip, with reading and decoding."""
    batch = workers.move(synthetic_batch(config, 1, config.seed))
    noise, told = batch["noise"], {}
    if config.reads_text:
        told["tokens"] = batch["tokens"]
    if config.conditioned:
        weight = next(model.parameters())
        told["start"] = batch["video"][:, : config.given_frames].to(weight.dtype, copy=True)
    del batch  # the rest of which takes memory in training alone

    def clip() -> torch.Tensor:
        return model.generate(noise, config.sampling_steps, config.guidance_scale, **told)

    seconds = median_seconds(clip, workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": config.frames / seconds}
