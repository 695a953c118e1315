"""Which cells a model has to predict from the others."""

import torch
from torch import Tensor

from .config import Config

HIDDEN = 0.25  # share of a row's cells that training hides


def cells_of(config: Config) -> int:
    """Columns that the model reads."""
    if config.categorical:
        return config.num_numeric + config.num_categorical
    else:
        return config.num_numeric


def hidden_cells(config: Config, rows: int, seed: int) -> Tensor:
    """Which cells are hidden, (rows, N + C): the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(rows, cells_of(config), generator=generator) < HIDDEN
