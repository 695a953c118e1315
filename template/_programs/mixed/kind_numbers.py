"""Rows of numbers: tables, states, values, continuous actions."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .cells import read_numbers, wide
from .config import Config
from .scales import learned, scaled, unscaled
from .synthetic import KINDS, Concept, noise


def width(name: str, config: Config) -> int:
    """How many numbers a row has."""
    sizes = {}
    if config.reads_tabular or config.gives_tabular:
        sizes["tabular"] = config.num_features
    if config.reads_state or config.gives_state:
        sizes["state"] = config.state_dim
    if config.gives_value:
        sizes["value"] = config.num_targets
    if config.gives_action:
        if config.actions == "continuous":
            sizes["action"] = config.action_dim
    return sizes[name]


def make(name: str, known: Concept, config: Config, answer: bool) -> Tensor:
    """Numbers that turn with the kind and grow with the level; as an input with noise.

    The first one alone tells both.
    """
    turns = torch.arange(width(name, config)) / 3 + known.kind / len(KINDS)
    row = torch.cos(2 * math.pi * turns) + known.level
    row[0] = known.kind + 0.9 * known.level
    return row if answer else row + 0.01 * noise(known, name, len(row))


def load(name: str, cell: Any, config: Config, answer: bool) -> Tensor:
    """The numbers of a cell."""
    rows = wide(read_numbers(cell).reshape(-1), width(name, config), f"a {name}")
    if len(rows) != 1:
        raise ValueError(f"a {name} has {rows.numel()} numbers, not {rows.size(1)}")
    return rows[0]


def learn(name: str, raws: list[Tensor], config: Config) -> dict[str, Any]:
    """The scale of every column."""
    return learned(raws)


def stack(
    name: str, raws: list[Tensor], note: dict[str, Any], config: Config, answer: bool
) -> dict[str, Tensor]:
    """Rows in deviations, (B, R)."""
    return {name: scaled(torch.stack(raws), note)}


def write(
    name: str, found: dict[str, Tensor], i: int, note: dict[str, Any], stem: Path, config: Config
) -> str:
    """The numbers of sample `i`, between blanks."""
    return " ".join(f"{number:.4g}" for number in unscaled(found[name][i], note).tolist())
