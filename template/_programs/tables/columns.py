"""What the columns of a table mean: learned from the training rows, kept beside the checkpoints.

A column is one of numbers where every cell that is not missing reads as one, else one of words.
Numbers are standardised; the commonest words of a column have a code from 1, all others count as
missing, whose code is 0. A table may have fewer columns than the model reads; what it lacks is
missing in every row.
"""

import csv
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from .config import Config

MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}
Row = dict[str, str]


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: its name, and mean and deviation of those in the training rows."""

    name: str
    mean: float
    deviation: float

    def read(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """Standardised numbers, 0 where missing, and whether they are, each (rows,)."""
        values = torch.tensor([number_of(row.get(self.name, "")) for row in rows])
        absent = values.isnan()
        return ((values - self.mean) / self.deviation).masked_fill(absent, 0.0).float(), absent


@dataclass(frozen=True)
class Words:
    """A column of words: its name, and those that have codes."""

    name: str
    words: tuple[str, ...]

    def read(self, rows: Sequence[Row]) -> Tensor:
        """The code of each row's word from 1, 0 where it is missing or unknown, (rows,)."""
        codes = {word: i for i, word in enumerate(self.words, 1)}
        return torch.tensor([codes.get(row.get(self.name, "").strip(), 0) for row in rows])


@dataclass(frozen=True)
class Columns:
    """The columns that are read, and those that are predicted.

    Attributes:
        numbers, words: the inputs.
        labels: the column of classes or groups, whose `words` they are; None where there is none.
        values: the columns of numbers to predict.
    """

    numbers: tuple[Numbers, ...]
    words: tuple[Words, ...]
    labels: Words | None
    values: tuple[Numbers, ...]

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Columns":
        """Read what `save` wrote."""
        found = json.loads(path.read_text(encoding="utf-8"))
        labels = found["labels"]
        return cls(
            tuple(Numbers(**column) for column in found["numbers"]),
            tuple(Words(c["name"], tuple(c["words"])) for c in found["words"]),
            Words(labels["name"], tuple(labels["words"])) if labels else None,
            tuple(Numbers(**column) for column in found["values"]),
        )

    def inputs(self, rows: Sequence[Row], config: Config) -> dict[str, Tensor]:
        """The cells that the model reads of each row."""
        shape = (len(rows), config.num_numeric)
        numbers, absent = torch.zeros(shape), torch.ones(shape, dtype=torch.bool)
        for i, column in enumerate(self.numbers):
            numbers[:, i], absent[:, i] = column.read(rows)
        if config.categorical:
            words = torch.zeros(len(rows), config.num_categorical, dtype=torch.long)
        else:
            words = torch.zeros(len(rows), 0, dtype=torch.long)
        for i, column in enumerate(self.words):
            words[:, i] = column.read(rows)
        return {"numbers": numbers, "absent": absent, "words": words}

    def targets(self, rows: Sequence[Row], config: Config) -> dict[str, Tensor]:
        """What the model should give for each row; values are in deviations from their mean."""
        batch = {}
        if self.labels is not None:
            codes = self.labels.read(rows) - 1
            if (codes < 0).any():
                raise ValueError(f'--target: a row has no "{self.labels.name}", or an unknown one')
            if config.gives_label:
                batch["labels"] = codes  # (B,)
            if config.gives_embedding:
                batch["groups"] = codes  # (B,)
        if config.gives_value:
            found = [column.read(rows) for column in self.values]
            for column, (_, absent) in zip(self.values, found, strict=True):
                if absent.any():
                    raise ValueError(f'--target: a row has no number in "{column.name}"')
            batch["values"] = torch.stack([values for values, _ in found], dim=1)  # (B, M)
        return batch


def learn_columns(rows: Sequence[Row], targets: Sequence[str], config: Config) -> Columns:
    """What the columns of the training rows mean; refuses more than the model reads."""
    names = [name for name in rows[0] if name not in targets]
    numeric = [name for name in names if is_numeric(name, rows)]
    worded = [name for name in names if name not in numeric]
    limit, kept = 0, 0
    if config.categorical:
        limit, kept = config.num_categorical, config.categories - 1
    for flag, found, most in (
        ("--num-numeric", numeric, config.num_numeric),
        ("--num-categorical", worded, limit),
    ):
        if len(found) > most:
            raise ValueError(f"--data has {len(found)} such columns; {flag} is {most}")
    labels, values = None, list(targets)
    if config.gives_label or config.gives_embedding:
        labels = Words(values[0], common_words(values.pop(0), rows, None))
    return Columns(
        tuple(standardised(name, rows) for name in numeric),
        tuple(Words(name, common_words(name, rows, kept)) for name in worded),
        labels,
        tuple(standardised(name, rows) for name in values),
    )


def is_numeric(name: str, rows: Sequence[Row]) -> bool:
    """Whether every cell that is not missing reads as a number."""
    return all(is_missing(row[name]) or not math.isnan(number_of(row[name])) for row in rows)


def is_missing(cell: str) -> bool:
    """Whether a cell says nothing."""
    return cell.strip().lower() in MISSING


def number_of(cell: str) -> float:
    """A cell as a finite number, else NaN."""
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def standardised(name: str, rows: Sequence[Row]) -> Numbers:
    """A column of numbers, with what standardises it."""
    values = torch.tensor([number_of(row[name]) for row in rows], dtype=torch.float64)
    values = values[~values.isnan()]
    if not len(values):
        return Numbers(name, 0.0, 1.0)
    deviation = values.std(correction=0).item()
    return Numbers(name, values.mean().item(), deviation if deviation > 1e-9 else 1.0)


def common_words(name: str, rows: Sequence[Row], most: int | None) -> tuple[str, ...]:
    """The commonest words of a column, at most so many, in alphabetical order."""
    counts = Counter(row[name].strip() for row in rows if not is_missing(row[name]))
    return tuple(sorted(word for word, _ in counts.most_common(most)))


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file with a header; short rows are filled with missing cells."""
    if not path.is_file():
        raise ValueError(f'--data "{path}": no such file')
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restval="")
        rows = [{name: row[name] for name in reader.fieldnames or []} for row in reader]
    if not rows or not rows[0]:
        raise ValueError(f'--data "{path}": no rows below a header')
    return rows
