"""Series: values by step and variable, and tables of them."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LABEL = "label"  # the column that says, by 1 or 0, whether a step is an anomaly
SEASONS = 400  # longest season that is looked for, in steps


@dataclass(frozen=True)
class Series:
    """Variables over the same steps.

    Attributes:
        name: what it is called in results.
        columns: the names of its variables.
        values: (steps, variables); 0 where unknown.
        known: whether each value is known, (steps, variables).
        season: steps after which it looks alike, 1 where it does not.
        held_out: so many steps at its end are not trained on.
        labels: whether each value is an anomaly, (steps, variables), where that is known.
    """

    name: str
    columns: tuple[str, ...]
    values: np.ndarray
    known: np.ndarray
    season: int = 1
    held_out: int = 0
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def trained(self) -> int:
        """Steps at its beginning that are trained on."""
        return len(self) - self.held_out

    def span(self, column: int, first: int, end: int, until: int) -> tuple[np.ndarray, np.ndarray]:
        """Steps `first` to `end` of one variable, and which are known; none from `until` on is.

        Steps outside of the series are unknown.
        """
        values = np.zeros(end - first, np.float32)
        known = np.zeros(end - first, bool)
        low, high = max(first, 0), min(end, until, len(self))
        if low < high:
            values[low - first : high - first] = self.values[low:high, column]
            known[low - first : high - first] = self.known[low:high, column]
        return values, known


def whole(name: str, values: np.ndarray, **more) -> Series:
    """One variable, (steps,), of which every value is known."""
    values = np.asarray(values, np.float32)[:, None]
    return Series(name, (name,), values, np.ones_like(values, dtype=bool), **more)


def read_table(path: str | Path, flag: str = "--data") -> Series:
    """The series of a CSV: its columns are variables, and its rows are steps.

    Empty cells are unknown. Columns with text, such as dates, are left out; `label` says what is an
    anomaly.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'{flag} "{path}": no such file')
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    if len(rows) < 3:
        raise ValueError(f'{flag} "{path}": needs a head and two rows')
    cells = [row + [""] * (len(rows[0]) - len(row)) for row in rows[1:]]
    columns = {n.strip(): read_column([row[i] for row in cells]) for i, n in enumerate(rows[0])}
    labels = columns.pop(LABEL, None)
    kept = {name: column for name, column in columns.items() if column is not None}
    if not kept:
        raise ValueError(f'{flag} "{path}": no column of numbers')
    values = np.stack(list(kept.values()), axis=1)
    known = np.isfinite(values)
    if labels is not None:
        labels = np.repeat(np.nan_to_num(labels)[:, None] > 0, values.shape[1], axis=1)
    filled = np.where(known, values, 0).astype(np.float32)
    return Series(path.stem, tuple(kept), filled, known, labels=labels)


def read_column(cells: list[str]) -> np.ndarray | None:
    """The numbers of a column, NaN where a cell is empty; None if it holds text or nothing."""
    try:
        numbers = np.array([float(cell) if cell.strip() else np.nan for cell in cells])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).any() else None


def find_season(values: np.ndarray) -> int:
    """The lag of the highest peak of the autocorrelation of (steps,), without its trend; or 1."""
    steps = len(values)
    time = np.arange(steps)
    rest = values - np.polyval(np.polyfit(time, values, 1), time)
    power = np.abs(np.fft.rfft(rest, 2 * steps)) ** 2
    shared = np.fft.irfft(power)[: min(SEASONS, steps // 2) + 1]
    likeness = shared / max(shared[0], 1e-12)
    inner = likeness[1:-1]
    peaks = np.flatnonzero((inner > likeness[:-2]) & (inner >= likeness[2:])) + 1
    if not len(peaks) or likeness[peaks].max() < 0.2:
        return 1
    return int(peaks[likeness[peaks].argmax()])
