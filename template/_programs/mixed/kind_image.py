"""Pictures, (C, Y, X) between -1 and 1."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from .config import Config
from .outlines import drawn, figures
from .pictures import read_picture, to_picture, to_tensor
from .synthetic import Concept, noise


def make(name: str, known: Concept, config: Config, answer: bool) -> Tensor:
    """The figures of a concept; as an input with noise."""
    size, channels = config.image_size, config.channels
    picture = drawn(known, size, channels, figures(known, config))
    return picture if answer else picture + 0.05 * noise(known, name, *picture.shape)


def load(name: str, cell: Any, config: Config, answer: bool) -> Tensor:
    """The picture of a file."""
    return to_tensor([read_picture(Path(cell), config.image_size, config.channels)])[0]


def learn(name: str, raws: list[Tensor], config: Config) -> dict[str, Any]:
    """Nothing: pictures have one scale."""
    return {}


def stack(
    name: str, raws: list[Tensor], note: dict[str, Any], config: Config, answer: bool
) -> dict[str, Tensor]:
    """Pictures, (B, C, Y, X)."""
    return {"image": torch.stack(raws)}


def write(
    name: str, found: dict[str, Tensor], i: int, note: dict[str, Any], stem: Path, config: Config
) -> str:
    """Save the picture of sample `i` as PNG; return the file's name."""
    path = stem.with_suffix(".png")
    picture = to_picture(found["image"][i])
    side = max(picture.width, 128 // picture.width * picture.width)
    picture.resize((side, side), Image.Resampling.NEAREST).save(path)
    return path.name
