"""What is told of an item, as rows of a table that features share by hashing.

Every word of a column is a feature and counts 1; a column of numbers is one feature that counts as
much as its standardised number. Features that share a row of the table by chance are told apart by
what else an item has (Weinberger et al. 2009).
"""

import math
import re
from collections.abc import Mapping, Sequence
from zlib import crc32

import torch
from torch import Tensor

from .config import Config


def item_features(
    items: Sequence[str], told: Mapping[str, Mapping[str, str]], config: Config
) -> tuple[Tensor, Tensor]:
    """Rows of features and how much each counts, (items, S) each; 0 where an item has fewer."""
    shape = (len(items), config.feature_slots)
    rows, weights = torch.zeros(shape, dtype=torch.long), torch.zeros(shape)
    scales = scales_of(told)
    for i, item in enumerate(items):
        found = features_of(told.get(item, {}), scales)[: config.feature_slots]
        for slot, (name, weight) in enumerate(found):
            rows[i, slot] = crc32(name.encode()) % config.feature_rows
            weights[i, slot] = weight / math.sqrt(len(found))
    return rows, weights


def scales_of(told: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[float, float]]:
    """Mean and deviation of every column of numbers."""
    columns: dict[str, list[str]] = {}
    for row in told.values():
        for name, cell in row.items():
            if cell.strip():
                columns.setdefault(name, []).append(cell)
    scales = {}
    for name, cells in columns.items():
        numbers = [number_of(cell) for cell in cells]
        if not any(math.isnan(x) for x in numbers):
            values = torch.tensor(numbers, dtype=torch.float64)
            deviation = values.std(correction=0).item()
            scales[name] = values.mean().item(), deviation if deviation > 1e-9 else 1.0
    return scales


def features_of(
    row: Mapping[str, str], scales: Mapping[str, tuple[float, float]]
) -> list[tuple[str, float]]:
    """The features of an item, and how much each counts."""
    found = []
    for name, cell in row.items():
        if name in scales:
            if cell.strip():
                mean, deviation = scales[name]
                found.append((name, (number_of(cell) - mean) / deviation))
        else:
            words = re.findall(r"\w+", cell.lower())
            found += [(f"{name}={word}", 1.0) for word in words]
    return found


def number_of(cell: str) -> float:
    """A cell as a finite number, else NaN."""
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
