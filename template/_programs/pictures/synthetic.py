"""The built-in pictures: one coloured shape on a plain ground, and everything told of it.

A picture depends on the seed and its number alone. Whatever is asked of a picture can be seen in
it: its caption names colour and shape, its class both, its outline drawing is filled by it.
"""

from dataclasses import dataclass
from random import Random

import numpy as np

SCENES = 6_000
COLOURS = {
    "red": (230, 40, 40),
    "green": (40, 180, 70),
    "blue": (50, 80, 235),
    "yellow": (245, 220, 50),
    "purple": (165, 60, 190),
    "white": (255, 255, 255),
}
SHAPES = ("circle", "square", "triangle", "cross")
GROUND = 30  # brightness of what is around a shape
LINE = 0.72  # where the outline of a shape begins, in units of its radius

#: Names of the classes; the first ones differ by both colour and shape.
CLASSES = tuple(
    f"{list(COLOURS)[i % len(COLOURS)]} {SHAPES[(i + i // 12) % len(SHAPES)]}"
    for i in range(len(COLOURS) * len(SHAPES))
)


@dataclass(frozen=True)
class Scene:
    """A shape: what it is, and where it lies in a picture that spans -1 to 1."""

    name: str  # colour and shape
    before: str  # the colour that it had before an edit
    x: float
    y: float
    radius: float


def scene(seed: int, index: int, classes: int = len(CLASSES)) -> Scene:
    """Scene `index`, of one of the first `classes` classes."""
    rng = Random(f"{seed}/scene/{index}")
    name = CLASSES[rng.randrange(min(classes, len(CLASSES)))]
    before = rng.choice([colour for colour in COLOURS if colour != name.split()[0]])
    radius = rng.uniform(0.5, 0.7)
    x, y = (rng.uniform(-0.9 + radius, 0.9 - radius) for _ in range(2))
    return Scene(name, before, x, y, radius)


def draw(shown: Scene, size: int, channels: int, colour: str = "", outline: bool = False):
    """A scene as an array of bytes, (size, size, channels), edges smoothed.

    `colour` replaces its own; of an `outline` drawing only the border is coloured.
    """
    own, shape = shown.name.split()
    fine = 4 * size  # drawn larger, then averaged
    inside = covers(shape, fine, shown.x, shown.y, shown.radius)
    if outline:
        inside &= ~covers(shape, fine, shown.x, shown.y, shown.radius * LINE)
    picture = np.full((fine, fine, 3), GROUND, dtype=np.float32)
    picture[inside] = COLOURS[colour or own]
    picture = picture.reshape(size, 4, size, 4, 3).mean(axis=(1, 3))
    if channels != 3:
        picture = picture.mean(axis=2, keepdims=True).repeat(channels, axis=2)
    return picture.round().astype(np.uint8)


def covers(shape: str, size: int, x: float, y: float, radius: float) -> np.ndarray:
    """The pixels that a shape around (x, y) covers, (size, size)."""
    ticks = (np.arange(size) + 0.5) * 2 / size - 1
    u, v = (ticks[None, :] - x) / radius, (ticks[:, None] - y) / radius
    if shape == "circle":
        return u**2 + v**2 <= 1
    if shape == "square":
        return np.maximum(abs(u), abs(v)) <= 0.85
    if shape == "triangle":
        return (abs(v) <= 0.9) & (abs(u) <= (v + 0.9) / 1.8)
    return (np.minimum(abs(u), abs(v)) <= 0.35) & (np.maximum(abs(u), abs(v)) <= 1)
