"""What is random about denoising takes, as functions of the seed, the step and the row."""

from random import Random

import torch
from torch import Tensor

from .config import Config
from .model import chunk_numbers

GOLDEN = 0.6180339887  # its multiples fill the unit interval evenly


def noise_of(config: Config, seed: str, step: int) -> dict[str, Tensor]:
    """What is random about training on one take, as a function of the seed.

    `noise` like its coded chunks, `quantiles` of the times of each, whether its conditions are
    `dropped`; and while the autoencoders learn, the noise of its frames' codes.
    """
    generator = torch.Generator().manual_seed(Random(seed).getrandbits(63))
    noise = {
        "noise": torch.randn(config.chunks, chunk_numbers(config), generator=generator),
        "quantiles": torch.rand(config.chunks, generator=generator),
        "dropped": torch.rand((), generator=generator) < config.dropout_condition,
    }
    if step < config.autoencoder_steps:
        side = config.image_size // 2 ** (len(config.ae_channels) - 1)
        taught = (config.autoencoder_frames, config.latent_channels, side, side)
        noise["posterior_noise"] = torch.randn(taught, generator=generator)
    return noise


def held_out_noise(config: Config, number: int) -> dict[str, Tensor]:
    """The same for a held-out take: always the same, nothing dropped, the autoencoders at rest."""
    noise = noise_of(config, f"held-out/{number}", config.autoencoder_steps)
    chunks = number * config.chunks + torch.arange(config.chunks) + 0.5
    return noise | {"dropped": torch.tensor(False), "quantiles": chunks * GOLDEN % 1}
