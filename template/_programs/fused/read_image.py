"""The pictures of samples."""

from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from .config import Config
from .pictures import contact_sheet, read_picture, to_picture, to_tensor
from .synthetic import draw_picture


def read(rows: list[dict[str, Any]], config: Config) -> dict[str, Tensor]:
    """The pictures of samples, (B, C, Y, X) between -1 and 1."""
    size, channels = config.image_size, config.channels
    pictures = [
        draw_picture(row["number"], size, channels)
        if "number" in row
        else read_picture(Path(row["image"]), size, channels)
        for row in rows
    ]
    return {"images": to_tensor(pictures)}


def sheet(images: Tensor, captions: list[str]) -> Image.Image:
    """Images, (B, C, Y, X), above their captions."""
    return contact_sheet([to_picture(image) for image in images], captions)
