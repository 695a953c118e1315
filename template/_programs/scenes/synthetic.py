"""Built-in scenes: coloured shapes on a noisy slope of grey, as many as one likes.

Each class has a shape and a hue of its own; place, size, brightness and hue vary, and shapes
hide each other. A scene is a function of its name alone.
"""

import colorsys
from random import Random

import numpy as np

from .scenes import Scene, boxes_of

SHAPES = ("disc", "square", "triangle", "cross", "ring")
KINDS = 20  # classes that can be told apart
MOST = 3  # objects in a scene
LEAST_SHARE = 0.3  # of an object's pixels that must remain visible


def synthetic_scene(name: str, side: int, channels: int, first: int, kinds: int) -> Scene:
    """The scene called `name`; classes are numbered from `first`, at most `kinds` of them."""
    rng = Random(name)
    noise = np.random.default_rng(rng.getrandbits(32))
    grid = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = grid[None, :], grid[:, None]
    slope = rng.uniform(-0.3, 0.3) * (x - 0.5) + rng.uniform(-0.3, 0.3) * (y - 0.5)
    image = np.full((3, side, side), rng.uniform(0.3, 0.7), dtype=np.float32) + slope
    image += noise.normal(0, 0.05, image.shape).astype(np.float32)
    labels, masks = [], []
    for _ in range(rng.randint(1, MOST)):
        kind = rng.randrange(min(kinds, KINDS))
        mask = shape_mask(SHAPES[kind % len(SHAPES)], x, y, rng)
        hue = (0.618 * kind + rng.uniform(-0.03, 0.03)) % 1
        colour = colorsys.hsv_to_rgb(hue, rng.uniform(0.7, 1), rng.uniform(0.6, 1))
        image[:, mask] = np.float32(colour)[:, None] + image[:, mask] * 0.15
        labels.append(first + kind)
        masks = [*(hidden & ~mask for hidden in masks), mask]
    sizes = [mask.sum() for mask in masks]
    floor = LEAST_SHARE * min(0.02 * side * side, max(sizes))
    seen = [i for i, size in enumerate(sizes) if size >= floor]
    kept = np.stack([masks[i] for i in seen])
    image = np.clip(image, 0, 1) * 2 - 1
    return Scene(
        image[np.arange(channels) % 3],
        np.array([labels[i] for i in seen]),
        kept,
        boxes_of(kept),
        np.zeros((side, side), dtype=bool),
    )


def shape_mask(shape: str, x: np.ndarray, y: np.ndarray, rng: Random) -> np.ndarray:
    """The pixels of a shape at a random place; `x` and `y` run from 0 to 1."""
    half = rng.uniform(0.12, 0.24)
    x = (x - rng.uniform(half, 1 - half)) / half
    y = (y - rng.uniform(half, 1 - half)) / half
    if shape == "disc":
        return x**2 + y**2 <= 1
    if shape == "square":
        return np.maximum(abs(x), abs(y)) <= 0.9
    if shape == "triangle":
        return (y <= 0.9) & (y >= 2 * abs(x) - 1)
    if shape == "cross":
        return (np.minimum(abs(x), abs(y)) <= 0.35) & (np.maximum(abs(x), abs(y)) <= 1)
    return (x**2 + y**2 <= 1) & (x**2 + y**2 >= 0.3)


def synthetic_names(first: int, count: int) -> list[str]:
    """The names of `count` classes, of which the first `first` are the background."""
    numbers = range(min(count - first, KINDS))
    rounds = [f" {n // len(SHAPES) + 1}" if n >= len(SHAPES) else "" for n in numbers]
    shapes = [SHAPES[n % len(SHAPES)] + rounds[n] for n in numbers]
    return ["background"] * first + shapes
