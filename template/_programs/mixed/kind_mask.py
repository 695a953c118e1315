"""Masks: a class for each pixel, (Y, X)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .config import Config
from .outlines import covered, figures
from .synthetic import Concept

SHADES = 37  # from the grey of one class to the next, so that neighbours differ


def make(name: str, known: Concept, config: Config, answer: bool) -> Tensor:
    """The figures of a concept before class 0."""
    size = config.image_size
    mask = torch.zeros(size, size, dtype=torch.long)
    for place in figures(known, config):
        mask[covered(known.kind, size, *place)] = 1 + known.kind % (config.num_classes - 1)
    return mask


def load(name: str, cell: Any, config: Config, answer: bool) -> Tensor:
    """The mask of a picture whose greys, or palette, are numbers of classes."""
    with Image.open(cell) as file:
        picture = file if file.mode in ("L", "P") else file.convert("L")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.crop((left, top, left + side, top + side))
        size = (config.image_size, config.image_size)
        mask = torch.from_numpy(np.array(square.resize(size, Image.Resampling.NEAREST))).long()
    if mask.max() >= config.num_classes:
        raise ValueError(f"{cell}: class {mask.max()}; --num-classes is {config.num_classes}")
    return mask


def learn(name: str, raws: list[Tensor], config: Config) -> dict[str, Any]:
    """Nothing: classes are numbers."""
    return {}


def stack(
    name: str, raws: list[Tensor], note: dict[str, Any], config: Config, answer: bool
) -> dict[str, Tensor]:
    """Masks, (B, Y, X)."""
    return {"mask": torch.stack(raws)}


def write(
    name: str, found: dict[str, Tensor], i: int, note: dict[str, Any], stem: Path, config: Config
) -> str:
    """Save the likeliest classes of sample `i` as shades of a PNG; return the file's name."""
    path = stem.with_suffix(".png")
    shades = (found[name][i].argmax(dim=0) * SHADES % 256).byte().numpy()
    side = max(len(shades), 128 // len(shades) * len(shades))
    Image.fromarray(shades).resize((side, side), Image.Resampling.NEAREST).save(path)
    return path.name
