"""Clouds of points, (P, 3), in no order."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .cells import read_numbers, wide
from .config import Config
from .scales import learned, scaled, unscaled
from .synthetic import Concept, chance


def make(name: str, known: Concept, config: Config, answer: bool) -> Tensor:
    """Points on a body of the concept's kind and size; as an input at random places."""
    seed = 0 if answer else chance(known, name).getrandbits(62)
    generator = torch.Generator().manual_seed(seed)
    u, v = torch.rand(2, config.num_points, generator=generator)
    angle, height = 2 * math.pi * u, 2 * v - 1
    if known.kind == 0:  # a ball
        ring = (1 - height**2).sqrt()
        body = torch.stack((ring * angle.cos(), ring * angle.sin(), height), dim=1)
    elif known.kind == 1:  # a pipe
        body = torch.stack((angle.cos(), angle.sin(), height), dim=1)
    elif known.kind == 2:  # a disc
        body = torch.stack((v.sqrt() * angle.cos(), v.sqrt() * angle.sin(), 0 * v), dim=1)
    else:  # a screw
        turn = 2 * math.pi * height
        body = torch.stack((turn.cos(), turn.sin(), height), dim=1)
    return (0.4 + 0.6 * known.level) * body


def load(name: str, cell: Any, config: Config, answer: bool) -> Tensor:
    """The points of a cell, a table of numbers, or the vertices of an OBJ file."""
    if isinstance(cell, str) and cell.lower().endswith(".obj"):
        lines = Path(cell).read_text(encoding="utf-8").splitlines()
        corners = [line.split()[1:4] for line in lines if line.startswith("v ")]
        points = wide(read_numbers(corners), 3, "a point")
    else:
        points = wide(read_numbers(cell), 3, "a point")
    spread = torch.linspace(0, len(points) - 1, config.num_points).round().long()
    return points[spread]


def learn(name: str, raws: list[Tensor], config: Config) -> dict[str, Any]:
    """Where clouds lie, and one scale for all axes, so that shapes keep their form."""
    note = learned(raws)
    return note | {"deviation": [max(note["deviation"])] * 3}


def stack(
    name: str, raws: list[Tensor], note: dict[str, Any], config: Config, answer: bool
) -> dict[str, Tensor]:
    """Clouds in deviations, (B, P, 3)."""
    return {"points": scaled(torch.stack(raws), note)}


def write(
    name: str, found: dict[str, Tensor], i: int, note: dict[str, Any], stem: Path, config: Config
) -> str:
    """Save the points of sample `i` as vertices of an OBJ file; return the file's name."""
    path = stem.with_suffix(".obj")
    rows = unscaled(found[name][i], note).tolist()
    lines = ["v {:.5f} {:.5f} {:.5f}\n".format(*row) for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path.name
