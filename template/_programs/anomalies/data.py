"""Windows of series as tensors: batches that are functions of the seed and the step.

The series are the built-in ones, or those that `--data` names, a CSV with a column for each
variable and, where it is known, a column `label` with 1 for anomalies. Training never sees labels.
Of the built-in series some are held out, with and without faults; of a CSV its end is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from .config import Config
from .model import patch_count
from .series import Series, read_table
from .synthetic import faulty_series, healthy_series

MACHINES, HELD_OUT = 120, 24  # built-in series, and those that are held out
LENGTH = 600  # steps of a built-in series, at least


@dataclass(frozen=True)
class Window:
    """The steps of one variable before step `end`."""

    series: Series
    column: int
    end: int


class Corpus:
    """Training and held-out windows.

    Attributes:
        train: series that are trained on, whole.
        judged: held-out series whose values are judged.
    """

    def __init__(self, config: Config):
        self.config = config
        self.train, calm, self.judged = open_series(config)
        windows = [w for s in calm for c in range(len(s.columns)) for w in covering(config, s, c)]
        self.val = Random(f"{config.seed}/held out").sample(windows, len(windows))

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Samples `rows` of the step's global batch; see `batch`."""
        config = self.config
        rng = Random(f"{config.seed}/batch/{step}")
        each = config.num_variables
        chosen = rng.choices(self.train, k=config.global_batch * each)
        windows = []
        for series in chosen:
            end = rng.randint(min(config.lookback, len(series)), len(series))
            windows.append(Window(series, rng.randrange(len(series.columns)), end))
        keys = [(step, row) for row in rows]
        return self.batch(windows[rows.start * each : rows.stop * each], keys, each)

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """At most `limit` held-out windows, in an order that mixes all series."""
        chosen = self.val[:limit]
        for first in range(0, len(chosen), batch_size):
            windows = chosen[first : first + batch_size]
            yield self.batch(windows, [(first + i,) for i in range(len(windows))])

    def batch(
        self, windows: Sequence[Window], keys: Sequence[tuple[int, ...]], variables: int = 1
    ) -> dict[str, Tensor]:
        """Windows as a batch for `loss`, so many to a sample; keys decide what is hidden.

        "values" and "known", (B, T, M), and "hidden", (B, N).
        """
        values, known = spans(self.config, windows)
        return {
            "values": values.unflatten(0, (-1, variables)).transpose(1, 2),
            "known": known.unflatten(0, (-1, variables)).transpose(1, 2),
            "hidden": torch.from_numpy(np.stack([hidden(self.config, key) for key in keys])),
        }


def spans(config: Config, windows: Sequence[Window]) -> tuple[Tensor, Tensor]:
    """The values of windows, and which are known, (windows, T) twice."""
    found = [w.series.span(w.column, w.end - config.lookback, w.end, w.end) for w in windows]
    values, known = (torch.from_numpy(np.stack(part)) for part in zip(*found, strict=True))
    return values, known


def hidden(config: Config, key: tuple[int, ...]) -> np.ndarray:
    """Which patches are hidden, (N,), a share of `hidden_share`: a function of seed and key."""
    patches = patch_count(config)
    count = min(patches, max(1, round(config.hidden_share * patches)))
    found = np.zeros(patches, bool)
    found[np.random.default_rng((config.seed, *key)).permutation(patches)[:count]] = True
    return found


def covering(config: Config, series: Series, column: int) -> list[Window]:
    """Windows that overlap by half and cover a variable to its end."""
    ends = list(range(min(config.lookback, len(series)), len(series), max(1, config.lookback // 2)))
    return [Window(series, column, end) for end in [*ends, len(series)]]


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random values, of a batch's shapes: for tests and speed."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, config.lookback, config.num_variables)
    keys = [(seed, row) for row in range(batch_size)]
    return {
        "values": torch.randn(shape, generator=generator),
        "known": torch.ones(shape, dtype=torch.bool),
        "hidden": torch.from_numpy(np.stack([hidden(config, key) for key in keys])),
    }


def prepare(config: Config) -> None:
    """Check the series that `config` asks for."""
    open_series(config)
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)


def open_series(config: Config) -> tuple[list[Series], list[Series], list[Series]]:
    """Series to train on, held-out ones for the loss, and held-out ones to judge."""
    if config.data:
        series = read_table(config.data)
        held_out = max(config.lookback, int(config.val_fraction * len(series)))
        if len(series) < held_out + config.patch_length:
            raise ValueError(
                f'--data "{config.data}": {len(series)} steps are too few to hold {held_out} of '
                "them out; lower --lookback"
            )
        end = part_of(series, len(series) - held_out, len(series))
        return [part_of(series, 0, len(series) - held_out)], [end], [end]
    length = max(LENGTH, 2 * config.lookback)
    train = [healthy_series(config.seed, i, length) for i in range(MACHINES - HELD_OUT)]
    rest = range(MACHINES - HELD_OUT, MACHINES)
    calm = [healthy_series(config.seed, i, length) for i in rest]
    return train, calm, [faulty_series(config.seed, i, length) for i in rest]


def part_of(series: Series, first: int, end: int) -> Series:
    """Some steps of a series."""
    labels = None if series.labels is None else series.labels[first:end]
    values, known = series.values[first:end], series.known[first:end]
    return replace(series, values=values, known=known, labels=labels)
