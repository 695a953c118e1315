"""Series with labels as tensors: batches that are functions of the seed and the step.

The series are the built-in ones, or those that `--data` names: a folder with a folder of CSV
tables per class, or one CSV with a series per row, its label first. A seeded draw for each series
decides whether it is held out. Of long series the end is read; before short ones nothing is known.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from .batches import Batches
from .classes import read_class_names, save_class_names
from .config import Config
from .series import LABEL, read_table
from .synthetic import CLASSES, synthetic_series

INPUTS = ("values", "known")  # of the model, by their keys in a batch
SYNTHETIC = 4_000  # built-in series


@dataclass(frozen=True)
class Labelled:
    """Values, (steps, variables), NaN where unknown, and what they are called."""

    title: str
    values: np.ndarray
    label: str


class Corpus(Batches):
    """Training and held-out series."""

    def __init__(self, config: Config):
        self.own = read_own(config.data) if config.data else []
        self.names = sorted({s.label for s in self.own}) or list(CLASSES[: config.num_classes])
        count = len(self.own) or SYNTHETIC
        rng = Random(f"{config.seed}/split")
        held_out = [rng.random() < config.val_fraction for _ in range(count)]
        train = [i for i, out in enumerate(held_out) if not out]
        super().__init__(config, train, [i for i, out in enumerate(held_out) if out])

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """A series by number, (steps, variables), and its class."""
        if self.own:
            series = self.own[index]
            return series.values, self.names.index(series.label)
        config = self.config
        return synthetic_series(
            config.seed, index, config.lookback, config.num_variables, config.num_classes
        )

    def title(self, index: int) -> str:
        """What a series is called."""
        return self.own[index].title if self.own else f"series {index}"

    def train_labels(self) -> Tensor:
        """The classes of training series, of at most a thousand, (N,)."""
        return torch.tensor([self.read(i)[1] for i in self.train[:1_000]])

    def stack(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Series by number: "values" and "known", (B, T, M), and "labels", (B,)."""
        values, labels = zip(*map(self.read, indices), strict=True)
        return window(self.config, values) | {"labels": torch.tensor(labels)}


def window(config: Config, series: Sequence[np.ndarray]) -> dict[str, Tensor]:
    """The last `lookback` steps of series, and which values are known, (B, T, M) twice."""
    cut = np.full((len(series), config.lookback, series[0].shape[1]), np.nan, np.float32)
    for row, values in zip(cut, series, strict=True):
        recent = values[-config.lookback :]
        row[len(row) - len(recent) :] = recent
    known = np.isfinite(cut)
    return {"values": torch.from_numpy(np.where(known, cut, 0)), "known": torch.from_numpy(known)}


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random values and labels, of a batch's shapes: for tests and speed."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, config.lookback, config.num_variables)
    return {
        "values": torch.randn(shape, generator=generator),
        "known": torch.ones(shape, dtype=torch.bool),
        "labels": torch.randint(config.num_classes, (batch_size,), generator=generator),
    }


def prepare(config: Config) -> None:
    """Check the series that `config` asks for, and note the names of their classes."""
    corpus = Corpus(config)
    save_class_names(config, corpus.names)
    for split, indices in (("training", corpus.train), ("held-out", corpus.val)):
        if not indices:
            raise ValueError(f'--data "{config.data}" leaves no {split} series: it has too few')


def class_names(config: Config) -> list[str]:
    """The names of a run's classes; those of the built-in series before any training."""
    return read_class_names(config, CLASSES)


def read_own(name: str) -> list[Labelled]:
    """The series that `--data` names."""
    path = Path(name)
    found = table_files(path) if path.is_dir() else list(table_rows(path))
    if not found:
        raise ValueError(f'--data "{name}": no CSV tables in folders named after their classes')
    if len({series.values.shape[1] for series in found}) > 1:
        raise ValueError(f'--data "{name}": all series must have as many variables')
    return found


def table_files(folder: Path) -> list[Labelled]:
    """The tables below a folder; the folder that each lies in names its class."""
    found = []
    for path in sorted(folder.rglob("*.csv")):
        if path.parent != folder:
            series = read_table(path)
            values = np.where(series.known, series.values, np.nan)
            found.append(Labelled(str(path.relative_to(folder)), values, path.parent.name))
    return found


def table_rows(path: Path) -> Iterator[Labelled]:
    """The rows of a CSV: a label, then the values of one variable."""
    if not path.is_file():
        raise ValueError(f'--data "{path}": no such file or folder')
    with open(path, encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file)):
            if number == 0 and row and row[0].strip().lower() == LABEL:  # the head
                continue
            try:
                values = [float(cell) if cell.strip() else np.nan for cell in row[1:]]
            except ValueError:
                raise ValueError(f'--data "{path}": row {number + 1} holds text') from None
            if np.isfinite(values).any():
                yield Labelled(f"row {number + 1}", np.array(values)[:, None], row[0])
