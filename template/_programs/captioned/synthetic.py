"""The built-in pairs: two coloured shapes, and a caption that says which is where.

Every caption occurs once. Held-out ones join words that training showed in other company, so
that matching them takes colours, shapes, sizes and places, not memory.
"""

from dataclasses import dataclass
from random import Random

import numpy as np

COLOURS = {
    "red": (230, 25, 25),
    "green": (25, 180, 50),
    "blue": (40, 65, 230),
    "yellow": (242, 217, 25),
    "purple": (155, 50, 180),
    "white": (255, 255, 255),
}
SHAPES = ("circle", "square", "triangle", "cross")
SIZES = {"small": 0.3, "large": 0.45}  # half the side, in units of half a picture
PLACES = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}  # x, y
SCENES = (len(COLOURS) * len(SHAPES) * len(SIZES)) ** 2 * len(PLACES)
BACKGROUND = 40


@dataclass(frozen=True)
class Thing:
    """A shape with a colour and a size, all in words."""

    size: str
    colour: str
    shape: str

    def __str__(self) -> str:
        return f"{self.size} {self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """Two things: the first stands at `place` of the second."""

    first: Thing
    second: Thing
    place: str

    @property
    def caption(self) -> str:
        """The sentence that describes it."""
        return f"a {self.first} {self.place} a {self.second}"


def scene(number: int) -> Scene:
    """The scene of a number below `SCENES`; all of them differ."""
    number, place = divmod(number, len(PLACES))
    things = []
    for _ in range(2):
        number, size = divmod(number, len(SIZES))
        number, colour = divmod(number, len(COLOURS))
        number, shape = divmod(number, len(SHAPES))
        things.append(Thing(list(SIZES)[size], list(COLOURS)[colour], SHAPES[shape]))
    return Scene(*things, list(PLACES)[place])


def draw(number: int, size: int, channels: int) -> np.ndarray:
    """The picture of a scene, (size, size, channels) bytes; places vary a little."""
    shown, rng = scene(number), Random(f"scene/{number}")
    picture = np.full((size, size, 3), BACKGROUND, dtype=np.uint8)
    dx, dy = PLACES[shown.place]
    for thing, side in ((shown.first, 1), (shown.second, -1)):
        x = 0.48 * dx * side + rng.uniform(-0.06, 0.06)
        y = 0.48 * dy * side + rng.uniform(-0.06, 0.06)
        picture[mask(thing.shape, size, x, y, SIZES[thing.size])] = COLOURS[thing.colour]
    if channels != 3:
        picture = picture.mean(axis=2, keepdims=True).astype(np.uint8).repeat(channels, axis=2)
    return picture


def mask(shape: str, size: int, x: float, y: float, radius: float) -> np.ndarray:
    """Where a shape around (x, y) lies, (size, size); a picture spans -1 to 1 on both axes."""
    ticks = (np.arange(size) + 0.5) * 2 / size - 1
    u, v = (ticks[None, :] - x) / radius, (ticks[:, None] - y) / radius
    if shape == "circle":
        return u**2 + v**2 <= 1
    if shape == "square":
        return np.maximum(abs(u), abs(v)) <= 0.85
    if shape == "triangle":
        return (abs(v) <= 0.9) & (abs(u) <= (v + 0.9) / 1.8)
    return (np.minimum(abs(u), abs(v)) <= 0.33) & (np.maximum(abs(u), abs(v)) <= 1)
