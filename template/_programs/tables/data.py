"""Rows of a table as tensors.

Without `--data` the table is built in. `--data` takes a CSV file with a header; `--target` names
the columns to predict, the one of classes or groups first, then those of numbers (without it the
last columns are taken). What the other columns mean is learned from the training rows; see
`columns.py`. The rows of a step follow from (seed, step), so training resumes exactly and does not
depend on how many processes share a batch.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from .columns import Row, learn_columns, read_rows
from .config import Config
from .synthetic import built_in

UNITS = "rows"


class Corpus:
    """Training and held-out rows, and what their columns mean."""

    def __init__(self, config: Config):
        self.config = config
        rows, targets = find_rows(config)
        order = Random(f"{config.seed}/split").sample(range(len(rows)), len(rows))
        held_out = max(1, round(len(rows) * config.val_fraction))
        self.val_rows = [rows[i] for i in sorted(order[:held_out])]
        train_rows = [rows[i] for i in sorted(order[held_out:])]
        if len(train_rows) < 2 or held_out < 2:
            raise ValueError(f'--data "{config.data}": too few rows to train on and to hold out')
        self.columns = learn_columns(train_rows, targets, config)
        self.train = self.encoded(train_rows)
        self.val = self.encoded(self.val_rows)

    def encoded(self, rows: Sequence[Row]) -> dict[str, Tensor]:
        """Rows as one batch, with their targets."""
        inputs = self.columns.inputs(rows, self.config)
        return inputs | self.columns.targets(rows, self.config)

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Rows `rows` of the step's global batch."""
        rng = Random(f"{self.config.seed}/batch/{step}")
        count = len(self.train["numbers"])
        chosen = rng.choices(range(count), k=self.config.global_batch)
        batch = picked(self.train, [chosen[row] for row in rows])
        if self.config.gives_cells:
            from .hiding import hidden_cells

            whole = hidden_cells(self.config, self.config.global_batch, rng.getrandbits(63))
            batch["hidden"] = whole[list(rows)]
        return batch

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out rows in order, at most `limit` of them."""
        rows = range(len(self.val_rows))[:limit]
        if self.config.gives_cells:
            from .hiding import hidden_cells

        for first in range(0, len(rows), batch_size):
            batch = picked(self.val, rows[first : first + batch_size])
            if self.config.gives_cells:
                batch["hidden"] = hidden_cells(self.config, len(batch["numbers"]), first)
            yield batch


def picked(batch: dict[str, Tensor], rows: Sequence[int]) -> dict[str, Tensor]:
    """Some rows of a batch."""
    index = torch.tensor(rows)
    return {name: tensor[index] for name, tensor in batch.items()}


def find_rows(config: Config) -> tuple[list[Row], list[str]]:
    """The rows of the table that `--data` names, or of the built-in one, and the targets."""
    if not config.data:
        return built_in(config)
    rows = read_rows(Path(config.data))
    wanted = 0
    if config.gives_label or config.gives_embedding:
        wanted += 1
    if config.gives_value:
        wanted += config.num_targets
    names = [name.strip() for name in config.target.split(",") if name.strip()]
    if not names and wanted:
        names = list(rows[0])[-wanted:]
    unknown = [name for name in names if name not in rows[0]]
    if unknown:
        raise ValueError(f'--target: the table has no column "{unknown[0]}"')
    if len(names) != wanted:
        raise ValueError(f"--target names {len(names)} columns; the model predicts {wanted}")
    return rows, names


def prepare(config: Config) -> None:
    """Check the data and write what the columns mean to the run folder."""
    columns = Corpus(config).columns
    if config.gives_label:
        classes = len(columns.labels.words)
        if classes > config.num_classes:
            raise ValueError(f"--target has {classes} classes; --num-classes is less")
    folder = Path(config.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    columns.save(folder / "columns.json")


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random rows and targets, shaped as a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, config.num_numeric)
    numbers = torch.randn(shape, generator=generator)
    absent = torch.rand(shape, generator=generator) < 0.1
    absent[0, 0] = True  # so that every weight takes part
    batch = {"numbers": numbers.masked_fill(absent, 0.0), "absent": absent}
    batch["words"] = torch.zeros(batch_size, 0, dtype=torch.long)
    if config.categorical:
        shape = (batch_size, config.num_categorical)
        batch["words"] = torch.randint(config.categories, shape, generator=generator)
    if config.gives_label:
        batch["labels"] = torch.randint(config.num_classes, (batch_size,), generator=generator)
    if config.gives_value:
        batch["values"] = torch.randn(batch_size, config.num_targets, generator=generator)
    if config.gives_embedding:
        batch["groups"] = torch.arange(batch_size) // 2
    if config.gives_cells:
        from .hiding import hidden_cells

        batch["hidden"] = hidden_cells(config, batch_size, seed)
        batch["hidden"][1] = True
    return batch
