"""What is random about denoising clips, as functions of the seed, the step and the row."""

from random import Random

import torch
from torch import Tensor

from .config import Config
from .model import latent_shape

GOLDEN = 0.6180339887  # its multiples fill the unit interval evenly


def noise_of(config: Config, seed: str, step: int) -> dict[str, Tensor]:
    """What is random about training on one clip, as a function of the seed.

    `noise` like its codes, the `quantiles` of its time, whether its condition is `dropped`; and
    while the autoencoder learns, the noise of its codes.
    """
    generator = torch.Generator().manual_seed(Random(seed).getrandbits(63))
    shape = latent_shape(config)
    noise = {
        "noise": torch.randn(shape, generator=generator),
        "quantiles": torch.rand((), generator=generator),
    }
    if config.conditioned or config.reads_text:
        noise["dropped"] = torch.rand((), generator=generator) < config.dropout_condition
    if step < config.autoencoder_steps:
        taught = (config.autoencoder_frames, *shape[1:])
        noise["posterior_noise"] = torch.randn(taught, generator=generator)
    return noise


def held_out_noise(config: Config, number: int) -> dict[str, Tensor]:
    """The same for a held-out clip: always the same, nothing dropped, the autoencoder at rest."""
    noise = noise_of(config, f"held-out/{number}", config.autoencoder_steps)
    if config.conditioned or config.reads_text:
        noise["dropped"] = torch.tensor(False)
    return noise | {"quantiles": torch.tensor((number + 0.5) * GOLDEN % 1)}
