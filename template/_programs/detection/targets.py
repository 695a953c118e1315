"""What a detector learns from a scene: the class and the box of every object."""

import numpy as np
import torch
from torch import Tensor

from .config import Config
from .scenes import Scene

FIRST = 0  # the number of the first class of objects; the background has none


def collate(config: Config, scenes: list[Scene]) -> dict[str, Tensor]:
    """Scenes as {"images": (B, C, side, side), "labels": (B, M), "boxes": (B, M, 4)}.

    M is the most objects of a scene, at least one; labels beyond a scene's last object are -1.
    Where there are more objects than queries, the largest stay.
    """
    kept = [largest(scene, config.num_queries) for scene in scenes]
    most = max(1, *(len(rows) for rows in kept)) if kept else 1
    labels = torch.full((len(scenes), most), -1)
    boxes = torch.full((len(scenes), most, 4), 0.5)
    for i, (scene, rows) in enumerate(zip(scenes, kept, strict=True)):
        labels[i, : len(rows)] = torch.from_numpy(scene.labels[rows])
        boxes[i, : len(rows)] = torch.from_numpy(scene.boxes[rows])
    images = torch.from_numpy(np.stack([scene.image for scene in scenes]))
    return {"images": images, "labels": labels, "boxes": boxes}


def largest(scene: Scene, most: int) -> np.ndarray:
    """The rows of the `most` objects with the largest boxes, in their order."""
    areas = scene.boxes[:, 2] * scene.boxes[:, 3]
    return np.sort(np.argsort(-areas, kind="stable")[:most])
