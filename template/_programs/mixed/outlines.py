"""The figures of built-in pictures: where they lie, and what they cover."""

import torch
from torch import Tensor

from . import synthetic
from .config import Config

COLOURS = torch.tensor([[1.0, -0.6, -0.6], [-0.6, 0.8, -0.4], [-0.4, -0.2, 1.0], [0.9, 0.8, -0.8]])
BACKGROUND = -0.7


def figures(known: synthetic.Concept, config: Config) -> list[tuple[float, float, float]]:
    """Centre and radius of each figure; pictures span -1 to 1. The last two kinds have two."""
    moved = 0.0, 0.0
    if config.reads_image:  # only what is seen can be told
        rng = synthetic.chance(known, "place")
        moved = rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1)
    found = [(moved[0] - 0.2, moved[1] - 0.2, 0.25 + 0.35 * known.level)]
    return found + ([(0.65, 0.65, 0.25)] if known.kind > 1 else [])


def covered(kind: int, size: int, x: float, y: float, radius: float) -> Tensor:
    """Where a figure lies, (size, size)."""
    ticks = (torch.arange(size) + 0.5) * 2 / size - 1
    u, v = (ticks[None, :] - x) / radius, (ticks[:, None] - y) / radius
    if kind == 0:
        return u**2 + v**2 <= 1
    if kind == 1:
        return torch.maximum(u.abs(), v.abs()) <= 0.9
    if kind == 2:
        return (v.abs() <= 0.9) & (u.abs() <= (v + 0.9) / 1.8)
    return (torch.minimum(u.abs(), v.abs()) <= 0.35) & (torch.maximum(u.abs(), v.abs()) <= 1)


def drawn(
    known: synthetic.Concept, size: int, channels: int, places: list[tuple[float, float, float]]
) -> Tensor:
    """A picture of figures at places, (C, Y, X) between -1 and 1."""
    colours = COLOURS[known.kind] if channels >= 3 else COLOURS[known.kind].mean(0, keepdim=True)
    colour = colours[torch.arange(channels) % len(colours)]
    picture = torch.full((channels, size, size), BACKGROUND)
    for place in places:
        picture[:, covered(known.kind, size, *place)] = colour[:, None]
    return picture
