"""What a picture gets beside what is told of it: noise, its level, and what is left out.

Batches hold `images`, (B, C, Y, X); `noise`, (B, Z, y, x), and `quantiles`, (B,), of the denoiser.
"""

from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor

from .config import Config
from .model import diffused_shape


def corrupted(batch: dict[str, Tensor], seeds: Sequence[str], config: Config) -> dict[str, Tensor]:
    """A batch with its noise, levels of noise, and what is left out, each row by its own seed."""
    drawn = [draw_row(Random(seed), config) for seed in seeds]
    batch |= {name: torch.stack([row[name] for row in drawn]) for name in drawn[0]}
    if config.image_condition == "inpaint":
        batch["pictures"] = batch["images"] * (1 - batch["masks"])
    return batch


def draw_row(rng: Random, config: Config) -> dict[str, Tensor]:
    """Everything random about one picture of a batch."""
    generator = torch.Generator().manual_seed(rng.getrandbits(63))
    row = {
        "noise": torch.randn(diffused_shape(config), generator=generator),
        "quantiles": torch.tensor(rng.random()),
    }
    if config.condition != "none":
        row["dropped"] = torch.tensor(rng.random() < config.dropout_condition)
    if config.space == "latent":
        row["posterior_noise"] = torch.randn(diffused_shape(config), generator=generator)
    if config.image_condition == "inpaint":
        row["masks"] = hole(rng, config.image_size)
    return row


def hole(rng: Random, side: int) -> Tensor:
    """A mask, (1, Y, X): 1 in a rectangle that is to be filled, 0 around it."""
    mask = torch.zeros(1, side, side)
    height, width = (max(1, int(side * rng.uniform(0.35, 0.65))) for _ in range(2))
    top, left = rng.randint(0, side - height), rng.randint(0, side - width)
    mask[:, top : top + height, left : left + width] = 1
    return mask


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random pictures in the shapes of a batch, whatever is told of them: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, config.channels, config.image_size, config.image_size)
    batch = {"images": torch.rand(shape, generator=generator) * 2 - 1}
    if config.condition == "text":
        tokens = (batch_size, config.prompt_length)
        batch["tokens"] = torch.randint(config.vocab_size, tokens, generator=generator)
    if config.condition == "class":
        labels = torch.randint(config.num_classes, (batch_size,), generator=generator)
        batch["labels"] = labels
    if config.image_condition == "picture":
        batch["pictures"] = -batch["images"]
    return corrupted(batch, [f"{seed}/{row}" for row in range(batch_size)], config)
