"""The built-in pictures: turned discs and boxes before a sky, in random colours, with soft edges.

A picture depends on the seed and its number alone.
"""

import numpy as np

OBJECTS = 3  # at most, on one picture


def synthetic_picture(seed: int, index: int, size: int, channels: int) -> np.ndarray:
    """Picture `index`, (size, size, channels) bytes."""
    rng = np.random.default_rng((seed, index))
    top, bottom = rng.uniform(0, 255, (2, channels))
    down = np.linspace(0, 1, size)[:, None, None]
    picture = np.broadcast_to(top + (bottom - top) * down, (size, size, channels))
    for _ in range(int(rng.integers(1, OBJECTS + 1))):
        cover = drawn_object(rng, size)[..., None]  # (size, size, 1)
        picture = picture + (rng.uniform(0, 255, channels) - picture) * cover
    return picture.round().astype(np.uint8)


def drawn_object(rng: np.random.Generator, size: int) -> np.ndarray:
    """How much of every pixel a random disc or box covers, (size, size), between 0 and 1."""
    x, y = rng.uniform(0.2, 0.8, 2) * size
    long, short = np.sort(rng.uniform(0.1, 0.35, 2))[::-1] * size
    angle = rng.uniform(0, np.pi)
    rows, columns = np.mgrid[:size, :size] + 0.5
    along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
    across = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
    if rng.random() < 0.5:
        inside = (1 - np.hypot(along / long, across / short)) * short  # pixels to the edge
    else:
        inside = np.minimum(long - abs(along), short - abs(across))
    return np.clip(inside + 0.5, 0, 1)
