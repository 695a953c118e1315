"""What a scene is: a picture, and the objects in it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scene:
    """A picture of `side` x `side` pixels and its objects, nearer ones later.

    Attributes:
        image: float32 values from -1 to 1, (C, side, side).
        labels: the class of each object, (n,).
        masks: its visible pixels, (n, side, side) of bool.
        boxes: its box as centre x, centre y, width and height, in shares of the side, (n, 4).
        ignored: pixels of no known class, (side, side) of bool.
    """

    image: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    boxes: np.ndarray
    ignored: np.ndarray


def boxes_of(masks: np.ndarray) -> np.ndarray:
    """The boxes around masks that have at least one pixel, (n, side, side) -> (n, 4)."""
    boxes = np.zeros((len(masks), 4), dtype=np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        box[:] = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        box /= mask.shape[0]
    return boxes


def class_map(scene: Scene) -> np.ndarray:
    """The class of every pixel, 0 for the background and -1 for ignored ones, (side, side)."""
    classes = np.zeros(scene.ignored.shape, dtype=np.int64)
    for label, mask in zip(scene.labels, scene.masks, strict=True):
        classes[mask] = label
    classes[scene.ignored] = -1
    return classes
