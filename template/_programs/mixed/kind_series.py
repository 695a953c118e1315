"""Series: what is read, (W, V), and how it goes on."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import synthetic
from .cells import read_numbers, wide
from .config import Config
from .scales import learned, scaled, unscaled

PERIODS = (5.0, 8.0, 13.0, 21.0)


def make(name: str, known: synthetic.Concept, config: Config, answer: bool) -> Tensor:
    """A wave whose period is the kind and whose height is the level; the answer comes after it."""
    start = 0.0
    if config.reads_time_series:  # only what is seen can be told
        start = synthetic.chance(known, "phase").uniform(0, 2 * math.pi)
    if answer:
        times = torch.arange(config.horizon)
    else:
        times = torch.arange(-config.lookback, 0)
    each = torch.arange(config.num_variables)  # variables run after one another
    angle = 2 * math.pi / PERIODS[known.kind] * (times[:, None] + each) + start
    wave = (0.3 + known.level) * angle.sin() + known.level
    return wave if answer else wave + 0.05 * synthetic.noise(known, name, *wave.shape)


def load(name: str, cell: Any, config: Config, answer: bool) -> Tensor:
    """The series of a cell or file: its last steps to read, filled at the start, or its first."""
    series = wide(read_numbers(cell), config.num_variables, "a series")
    if answer:
        if len(series) < config.horizon:
            raise ValueError(f"a series has {len(series)} steps; --horizon is {config.horizon}")
        return series[: config.horizon]
    series = series[-config.lookback :]
    missing = config.lookback - len(series)
    return F.pad(series.T[None], (missing, 0), mode="replicate")[0].T


def learn(name: str, raws: list[Tensor], config: Config) -> dict[str, Any]:
    """The scale of every variable."""
    return learned(raws)


def stack(
    name: str, raws: list[Tensor], note: dict[str, Any], config: Config, answer: bool
) -> dict[str, Tensor]:
    """Series in deviations, (B, W, V)."""
    return {"time_series": scaled(torch.stack(raws), note)}


def write(
    name: str, found: dict[str, Tensor], i: int, note: dict[str, Any], stem: Path, config: Config
) -> str:
    """Save the series of sample `i` as CSV; return the file's name."""
    path = stem.with_suffix(".csv")
    names = ",".join(f"variable_{v}" for v in range(config.num_variables))
    series = unscaled(found["time_series"][i], note).numpy()
    np.savetxt(path, series, "%.5g", ",", header=names, comments="")
    return path.name
