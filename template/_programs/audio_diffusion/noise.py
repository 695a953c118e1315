"""What is random about denoising sounds, as functions of the seed, the step and the row."""

from random import Random

import torch
from torch import Tensor

from .config import Config
from .model import latent_shape

GOLDEN = 0.6180339887  # its multiples fill the unit interval evenly


def training_noise(config: Config, step: int, rows: range, learns: bool) -> dict[str, Tensor]:
    """For `rows` of a step's batch; see `noise_of`."""
    return stacked([noise_of(config, f"{config.seed}/{step}/{row}", learns) for row in rows])


def held_out_noise(config: Config, numbers: range) -> dict[str, Tensor]:
    """For held-out sounds: always the same, nothing dropped, the autoencoder at rest."""
    batch = stacked([noise_of(config, f"held-out/{number}", False) for number in numbers])
    batch["quantiles"] = torch.tensor([(number + 0.5) * GOLDEN % 1 for number in numbers])
    return batch | {"dropped": torch.zeros(len(numbers), dtype=torch.bool)}


def synthetic_noise(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """For sounds that are noise themselves."""
    rows = range(batch_size)
    return stacked([noise_of(config, f"synthetic/{seed}/{row}", True) for row in rows])


def starting_noise(config: Config, seed: int, count: int) -> Tensor:
    """What sampling begins with, (count, T, Z); a sample does not depend on how many there are."""
    found = [noise_of(config, f"sample/{seed}/{i}", False)["noise"] for i in range(count)]
    return torch.stack(found)


def noise_of(config: Config, seed: str, learns: bool) -> dict[str, Tensor]:
    """What is random about training on one sound, as a function of the seed.

    `noise` like its codes, the `quantiles` of its time, whether its condition is `dropped`; and
    while the autoencoder `learns`, the noise of its codes.
    """
    generator = torch.Generator().manual_seed(Random(seed).getrandbits(63))
    frames, channels = latent_shape(config)
    noise = {
        "noise": torch.randn(frames, channels, generator=generator),
        "quantiles": torch.rand((), generator=generator),
    }
    chance = torch.rand((), generator=generator)
    if config.conditioned or config.continued:
        noise["dropped"] = chance < config.dropout_condition
    else:
        noise["dropped"] = chance < 0  # there is nothing to drop
    if learns:
        taught = (config.autoencoder_frames, channels)
        noise["posterior_noise"] = torch.randn(taught, generator=generator)
    return noise


def stacked(noises: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """What is random about several sounds, as a batch."""
    return {name: torch.stack([noise[name] for noise in noises]) for name in noises[0]}
