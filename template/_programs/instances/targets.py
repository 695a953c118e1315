"""What a model of instances learns from a scene: class, box and mask of every object."""

import numpy as np
import torch
from torch import Tensor

from .config import Config
from .scenes import Scene

FIRST = 0  # the number of the first class of objects; the background has none


def collate(config: Config, scenes: list[Scene]) -> dict[str, Tensor]:
    """Scenes as {"images", "labels", "boxes", "masks"}; masks are (B, M, side, side).

    Images are (B, C, side, side), labels (B, M) and boxes (B, M, 4). M is the most objects of a
    scene, at least one; labels beyond a scene's last object are -1. Where there are more objects
    than queries, the largest stay.
    """
    kept = [largest(scene, config.num_queries) for scene in scenes]
    most = max(1, *(len(rows) for rows in kept)) if kept else 1
    labels = torch.full((len(scenes), most), -1)
    boxes = torch.full((len(scenes), most, 4), 0.5)
    masks = torch.zeros(len(scenes), most, config.image_size, config.image_size)
    for i, (scene, rows) in enumerate(zip(scenes, kept, strict=True)):
        labels[i, : len(rows)] = torch.from_numpy(scene.labels[rows])
        boxes[i, : len(rows)] = torch.from_numpy(scene.boxes[rows])
        masks[i, : len(rows)] = torch.from_numpy(scene.masks[rows].astype(np.float32))
    images = torch.from_numpy(np.stack([scene.image for scene in scenes]))
    return {"images": images, "labels": labels, "boxes": boxes, "masks": masks}


def largest(scene: Scene, most: int) -> np.ndarray:
    """The rows of the `most` objects with the largest masks, in their order."""
    areas = scene.masks.sum(axis=(1, 2))
    return np.sort(np.argsort(-areas, kind="stable")[:most])
