"""Numbers in the cells of a table: written there, or in a file that the cell names."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def read_numbers(cell: Any) -> Tensor:
    """A number, list or lists of lists; a .npy or CSV file; or numbers between blanks or commas.

    Raises `ValueError` for anything else.
    """
    if isinstance(cell, str):
        if Path(cell).is_file():
            return from_file(Path(cell))
        text = cell.strip()
        cell = json.loads(text) if text.startswith("[") else text.replace(",", " ").split()
    try:
        return torch.tensor(np.asarray(cell, dtype=np.float32))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{cell!r} is neither numbers nor a file of them") from error


def from_file(path: Path) -> Tensor:
    """The numbers of a file, one row for each line; lines that are no numbers are headings."""
    if path.suffix.lower() == ".npy":
        return torch.from_numpy(np.load(path).astype(np.float32))
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append([float(word) for word in line.replace(",", " ").split()])
        except ValueError:
            continue
    rows = [row for row in rows if row]
    if not rows or len({len(row) for row in rows}) != 1:
        raise ValueError(f"{path}: no table of numbers")
    return torch.tensor(rows)


def wide(numbers: Tensor, width: int, what: str) -> Tensor:
    """Numbers in rows of `width`; raise `ValueError` where that is not what they are."""
    if numbers.numel() % width or (numbers.dim() > 1 and numbers.size(-1) != width):
        raise ValueError(f"{what} has {tuple(numbers.shape)} numbers, not {width} in a row")
    return numbers.reshape(-1, width)
