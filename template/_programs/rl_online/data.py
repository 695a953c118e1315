"""Batches of an agent's own doing; the real ones come from `learner.py`."""

from pathlib import Path

import torch
from torch import Tensor

from .arena import open_arena
from .config import Config
from .learner import random_lessons


def prepare(config: Config) -> None:
    """Check that the environment can be opened, and make the run's folder."""
    open_arena(config, 1, "training")
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random experience, of a batch's shapes: for tests and speed."""
    generator = torch.Generator().manual_seed(seed)
    if config.observation == "image":
        side = config.image_size
        shape = (batch_size, config.frames * config.channels, side, side)
        observations = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    else:
        observations = torch.randn(batch_size, config.state_dim, generator=generator)
    return {"observations": observations, **random_lessons(config, batch_size, generator)}
