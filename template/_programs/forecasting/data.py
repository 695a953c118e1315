"""Windows of series as tensors: batches that are functions of the seed and the step.

The series are the built-in ones together with a real one, the passengers of airlines; or those
that `--data` names, a CSV with a column for each variable. The end of every series is held out, in
time: what is forecast in evaluation comes after everything that was trained on. Every variable is
forecast from its own past, so a sample takes its variables from wherever it likes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from .airline import airline_passengers
from .config import Config
from .series import Series, find_season, read_table
from .synthetic import synthetic_series

SYNTHETIC = 300  # built-in series
REAL_SHARE = 0.05  # of the windows that are trained on, beside the built-in ones


@dataclass(frozen=True)
class Window:
    """The past of one variable before step `end`, and what follows, up to step `until`."""

    series: int
    column: int
    end: int
    until: int


class Corpus:
    """Training and held-out windows."""

    def __init__(self, config: Config):
        self.config = config
        self.series, self.weights = open_series(config)
        held_out = [w for i, s in enumerate(self.series) for w in held_out_windows(config, i, s)]
        self.val = Random(f"{config.seed}/held out").sample(held_out, len(held_out))

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Samples `rows` of the step's global batch; see `batch`."""
        config = self.config
        rng = Random(f"{config.seed}/batch/{step}")
        chosen = rng.choices(
            range(len(self.series)), self.weights, k=config.global_batch * config.num_variables
        )
        windows = [self.draw(number, rng) for number in chosen]
        each = config.num_variables
        return self.batch(windows[rows.start * each : rows.stop * each], each)

    def draw(self, number: int, rng: Random) -> Window:
        """A random window of a series, whose future begins before the held-out steps."""
        series = self.series[number]
        last = max(1, series.trained - self.config.horizon)
        first = max(1, min(self.config.lookback, last // 2))
        column = rng.randrange(len(series.columns))
        return Window(number, column, rng.randint(first, last), series.trained)

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """At most `limit` held-out windows, in an order that mixes all series."""
        chosen = self.val[:limit]
        for first in range(0, len(chosen), batch_size):
            yield self.batch(chosen[first : first + batch_size])

    def batch(self, windows: Sequence[Window], variables: int = 1) -> dict[str, Tensor]:
        """Windows as a batch for `loss`, so many to a sample.

        "past" and "known", (B, T, M), and "future" and "future_known", (B, H, M).
        """
        reach, horizon = self.config.lookback, self.config.horizon
        found: dict[str, list[np.ndarray]] = {
            name: [] for name in ("past", "known", "future", "future_known")
        }
        for w in windows:
            series = self.series[w.series]
            before = series.span(w.column, w.end - reach, w.end, w.end)
            after = series.span(w.column, w.end, w.end + horizon, w.until)
            for name, values in zip(found, (*before, *after), strict=True):
                found[name].append(values)
        tensors = {name: torch.from_numpy(np.stack(values)) for name, values in found.items()}
        return {n: t.unflatten(0, (-1, variables)).transpose(1, 2) for n, t in tensors.items()}


def held_out_windows(config: Config, number: int, series: Series) -> Iterator[Window]:
    """Windows whose future is held out, a quarter of the horizon apart."""
    last = max(series.trained, len(series) - config.horizon)
    for end in range(series.trained, last + 1, max(1, config.horizon // 4)):
        for column in range(len(series.columns)):
            yield Window(number, column, end, len(series))


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random values, of a batch's shapes: for tests and speed."""
    generator = torch.Generator().manual_seed(seed)
    past, future = (
        torch.randn(batch_size, steps, config.num_variables, generator=generator)
        for steps in (config.lookback, config.horizon)
    )
    known, future_known = (torch.ones_like(t, dtype=torch.bool) for t in (past, future))
    return {"past": past, "known": known, "future": future, "future_known": future_known}


def prepare(config: Config) -> None:
    """Check the series that `config` asks for."""
    open_series(config)
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)


def open_series(config: Config) -> tuple[list[Series], list[float]]:
    """The series, and how often each is trained on."""
    if config.data:
        return [own_series(config)], [1.0]
    held_out = 2 * config.horizon
    length = 4 * config.lookback + 4 * config.horizon
    made = [
        synthetic_series(config.seed, i, length, config.lookback // 2, held_out)
        for i in range(SYNTHETIC)
    ]
    share = (1 - REAL_SHARE) / SYNTHETIC
    return [*made, airline_passengers()], [share] * SYNTHETIC + [REAL_SHARE]


def own_series(config: Config) -> Series:
    """The series that `--data` names, its end held out."""
    series = read_table(config.data)
    held_out = max(config.horizon, int(config.val_fraction * len(series)))
    if len(series) < held_out + config.horizon + 2:
        raise ValueError(
            f'--data "{config.data}": {len(series)} steps are too few to hold {held_out} of them '
            "out; lower --horizon"
        )
    season = config.season
    if season == 1:
        season = find_season(series.values[: len(series) - held_out, 0])
    return replace(series, season=season, held_out=held_out)
