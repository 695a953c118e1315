"""The built-in clips: a coloured shape that moves over a plain ground, and a caption that says so.

A caption decides colour, shape and direction; where a clip begins and how fast it is are random.
"""

from random import Random

import torch
from torch import Tensor

from .config import Config

COLOURS = {
    "red": (0.9, -0.8, -0.8),
    "green": (-0.8, 0.6, -0.5),
    "blue": (-0.6, -0.4, 0.9),
}
SHAPES = ("disc", "square")
MOTIONS = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}
GROUND = -0.6
SOFT = 1.5  # pixels over which an edge fades


def caption(number: int) -> str:
    """What the clip of a number shows, such as "a red disc moves right"."""
    number, motion = divmod(number, len(MOTIONS))
    number, shape = divmod(number, len(SHAPES))
    colour = list(COLOURS)[number % len(COLOURS)]
    return f"a {colour} {SHAPES[shape]} moves {list(MOTIONS)[motion]}"


def synthetic_clip(text: str, config: Config, rng: Random) -> Tensor:
    """A clip of a caption, (Z, P, Y, X) between -1 and 1; the same for the same state of `rng`."""
    _, colour, shape, _, motion = text.split()
    dx, dy = MOTIONS[motion]
    travel = rng.uniform(0.9, 1.1)  # a frame spans -1 to 1
    radius = rng.uniform(0.4, 0.48)
    time = torch.linspace(-0.5, 0.5, config.frames)  # (Z,)
    aside = rng.uniform(-0.3, 0.3)
    centre_x = travel * dx * time + aside * (dx == 0)  # (Z,)
    centre_y = travel * dy * time + aside * (dy == 0)
    ticks = (torch.arange(config.image_size) + 0.5) * 2 / config.image_size - 1
    x = ticks[None, None, :] - centre_x[:, None, None]  # (Z, 1, X)
    y = ticks[None, :, None] - centre_y[:, None, None]  # (Z, Y, 1)
    edge = distance(shape, x, y, radius) * config.image_size / 2 / SOFT
    inside = (0.5 - edge).clamp(0, 1)[:, None]  # (Z, 1, Y, X)
    paint = torch.tensor(COLOURS[colour])
    if config.channels != 3:
        paint = paint.mean().expand(config.channels)
    return GROUND + (paint[:, None, None] - GROUND) * inside


def distance(shape: str, x: Tensor, y: Tensor, radius: float) -> Tensor:
    """How far places lie outside a shape around the origin; negative inside."""
    if shape == "disc":
        return (x.square() + y.square()).sqrt() - radius
    return torch.maximum(x.abs(), y.abs()) - 0.85 * radius
