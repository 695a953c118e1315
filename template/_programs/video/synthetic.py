"""The built-in clips: a shape that moves, over a noisy ground.

The class is a motion and a shape; beyond their combinations, also a colour. No frame alone shows a
motion, and place, size, speed and (where it says nothing) colour are random.
"""

import math
from random import Random

import torch
from torch import Tensor

from .config import Config

MOTIONS = ("right", "left", "down", "up", "growing")
SHAPES = ("square", "disc", "cross", "ring")
COMBINATIONS = len(MOTIONS) * len(SHAPES)


def class_names(num_classes: int) -> list[str]:
    """The names of the classes: motion, shape, and the number of a colour where there are any."""
    return [
        f"{SHAPES[i // len(MOTIONS) % len(SHAPES)]} {MOTIONS[i % len(MOTIONS)]}"
        + (f" colour {i // COMBINATIONS}" if num_classes > COMBINATIONS else "")
        for i in range(num_classes)
    ]


def synthetic_clip(label: int, config: Config, rng: Random) -> Tensor:
    """A clip of a class, (Z, C, Y, X) between -1 and 1; the same for the same state of `rng`."""
    motion = MOTIONS[label % len(MOTIONS)]
    shape = SHAPES[label // len(MOTIONS) % len(SHAPES)]
    colours = math.ceil(config.num_classes / COMBINATIONS)
    hue = label // COMBINATIONS / colours if colours > 1 else rng.random()
    time = torch.arange(config.frames) / max(1, config.frames - 1)  # (Z,)
    travel = rng.uniform(0.5, 0.9) * time
    start = rng.random(), rng.random()
    across = {"right": travel, "left": -travel}.get(motion, 0 * time)  # (Z,)
    along = {"down": travel, "up": -travel}.get(motion, 0 * time)
    radius = rng.uniform(0.2, 0.28) * (0.4 + 1.4 * time if motion == "growing" else 1 + 0 * time)
    grid = (torch.arange(config.image_size) + 0.5) / config.image_size
    x = around(grid[None, :] - (start[0] + across)[:, None])[:, None, :]  # (Z, 1, X)
    y = around(grid[None, :] - (start[1] + along)[:, None])[:, :, None]  # (Z, Y, 1)
    inside = mask(shape, x, y, radius[:, None, None])  # (Z, Y, X)
    paint = torch.cos(2 * math.pi * (hue - torch.arange(config.channels) / config.channels))
    generator = torch.Generator().manual_seed(rng.getrandbits(63))
    size = (config.frames, config.channels, config.image_size, config.image_size)
    ground = 0.15 * torch.randn(size, generator=generator) - 0.5
    clip = torch.where(inside[:, None], (0.3 + 0.7 * paint)[:, None, None], ground)
    return clip.clamp(-1, 1)


def around(distance: Tensor) -> Tensor:
    """Distances on a ring of length 1: what leaves on one side returns on the other."""
    return (distance + 0.5) % 1 - 0.5


def mask(shape: str, x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """Where a shape of some radius around the origin is."""
    distance = (x.square() + y.square()).sqrt()
    if shape == "disc":
        return distance < radius
    if shape == "ring":
        return (distance < radius) & (distance > 0.55 * radius)
    box = torch.maximum(x.abs(), y.abs()) < radius
    if shape == "cross":
        return box & (torch.minimum(x.abs(), y.abs()) < 0.35 * radius)
    return box
