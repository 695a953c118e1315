"""The built-in pictures: shapes on noise, in random colours, places and sizes.

A class is a shape with a filling, so neither brightness nor colour nor any single pixel gives it
away. A picture depends on the seed and its number alone.
"""

import numpy as np

SHAPES = ("disc", "square", "triangle", "cross")
FILLINGS = ("plain", "hollow", "striped")

#: Names of the classes, shapes first: the first few differ by their outlines only.
CLASSES = tuple(f"{filling} {shape}" for filling in FILLINGS for shape in SHAPES)


def synthetic_picture(
    seed: int, index: int, size: int, channels: int, classes: int
) -> tuple[np.ndarray, int]:
    """Picture `index`, (size, size, channels) bytes, and its class among the first `classes`."""
    rng = np.random.default_rng((seed, index))
    label = int(rng.integers(min(classes, len(CLASSES))))
    filling, shape = divmod(label, len(SHAPES))
    radius = size * rng.uniform(0.25, 0.4)
    x, y = rng.uniform(radius, size - radius, 2)
    picture = background(rng, size, channels)
    paint(rng, picture, FILLINGS[filling], shape_distance(SHAPES[shape], size, x, y, radius))
    return picture, label


def background(rng: np.random.Generator, size: int, channels: int) -> np.ndarray:
    """Noise around a random dark colour, (size, size, channels) bytes."""
    colour = rng.uniform(20, 90, channels)
    noise = rng.normal(0, 12, (size, size, channels))
    return np.clip(colour + noise, 0, 255).astype(np.uint8)


def shape_distance(shape: str, size: int, x: float, y: float, radius: float) -> np.ndarray:
    """How far out every pixel lies, (size, size): below 1 inside the shape, 0 at its centre."""
    rows, columns = np.mgrid[:size, :size]
    across, down = (columns + 0.5 - x) / radius, (rows + 0.5 - y) / radius
    if shape == "disc":
        return np.hypot(across, down)
    if shape == "square":
        return np.maximum(abs(across), abs(down)) / 0.85
    if shape == "triangle":
        return np.maximum(-down * 1.6, 1.1 * abs(across) * 1.6 + down * 0.9) + 0.12
    return np.maximum(np.minimum(abs(across), abs(down)) / 0.3, np.maximum(abs(across), abs(down)))


def paint(rng: np.random.Generator, picture: np.ndarray, filling: str, out: np.ndarray) -> None:
    """Fill the pixels inside a shape with a random bright colour, in place."""
    inside = out < 1
    if filling == "hollow":
        inside &= out > 0.6
    if filling == "striped":
        period = max(4, len(out) // 8)
        inside &= (np.arange(len(out))[:, None] + int(rng.integers(period))) % period < period / 2
    picture[inside] = rng.uniform(120, 255, picture.shape[2]).astype(np.uint8)
