"""What a segmenter learns from a scene: the class of every pixel."""

import numpy as np
import torch
from torch import Tensor

from .config import Config
from .scenes import Scene, class_map

FIRST = 1  # the number of the first class of objects; 0 is the background


def collate(config: Config, scenes: list[Scene]) -> dict[str, Tensor]:
    """Scenes as {"images": (B, C, side, side), "mask": (B, side, side)}; -1 is ignored."""
    return {
        "images": torch.from_numpy(np.stack([scene.image for scene in scenes])),
        "mask": torch.from_numpy(np.stack([class_map(scene) for scene in scenes])),
    }
