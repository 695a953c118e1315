"""Boxes: centre, width and height as shares of the picture, (K, 4), from left to right."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .cells import read_numbers, wide
from .config import Config
from .outlines import figures
from .synthetic import Concept


def make(name: str, known: Concept, config: Config, answer: bool) -> Tensor:
    """Boxes around the figures of a concept."""
    boxes = [((x + 1) / 2, (y + 1) / 2, r, r) for x, y, r in figures(known, config)]
    return torch.tensor(sorted(boxes))


def load(name: str, cell: Any, config: Config, answer: bool) -> Tensor:
    """The boxes of a cell: a list of [centre x, centre y, width, height]."""
    boxes = wide(read_numbers(cell), 4, "a box")
    return boxes[boxes[:, 0].argsort()]


def learn(name: str, raws: list[Tensor], config: Config) -> dict[str, Any]:
    """Nothing: boxes are shares."""
    return {}


def stack(
    name: str, raws: list[Tensor], note: dict[str, Any], config: Config, answer: bool
) -> dict[str, Tensor]:
    """Boxes, (B, K, 4), and whether they are there, (B, K); of more than fit the first are kept."""
    boxes = torch.zeros(len(raws), config.max_objects, 4)
    present = torch.zeros(len(raws), config.max_objects, dtype=torch.bool)
    for i, raw in enumerate(raws):
        count = min(len(raw), config.max_objects)
        boxes[i, :count], present[i, :count] = raw[:count], True
    return {"boxes": boxes, "box_present": present}


def write(
    name: str, found: dict[str, Tensor], i: int, note: dict[str, Any], stem: Path, config: Config
) -> str:
    """Save the boxes of sample `i` that are likely there as JSON; return the file's name."""
    path = stem.with_suffix(".json")
    likely = found[name][i, :, 4].sigmoid()
    boxes = [
        {"box": [round(number, 4) for number in row[:4].tolist()], "probability": round(share, 4)}
        for row, share in zip(found[name][i], likely.tolist(), strict=True)
        if share > 0.5
    ]
    path.write_text(json.dumps(boxes, indent=2) + "\n", encoding="utf-8")
    return path.name
