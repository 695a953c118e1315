"""Pictures: reading them at one size, as tensors, and sheets of them for people to look at.

In memory a picture is an array of bytes, (side, side, channels); models read batches of floats
between -1 and 1, (B, C, Y, X).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")


def picture_files(folder: Path) -> list[Path]:
    """Every picture below a folder, in order of their names."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def read_picture(source: Path | Image.Image, size: int, channels: int) -> np.ndarray:
    """A picture cut to its central square and scaled, as (size, size, channels) bytes.

    One channel is grey, three are red, green and blue; further ones repeat these.
    """
    if isinstance(source, Path):
        with Image.open(source) as file:
            file.draft("RGB", (2 * size, 2 * size))  # JPEG decodes at a fraction where it can
            picture = file.convert("L" if channels == 1 else "RGB")
    else:
        picture = source.convert("L" if channels == 1 else "RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    picture = picture.resize((size, size), Image.BILINEAR, (left, top, left + side, top + side))
    pixels = np.asarray(picture).reshape(size, size, -1)
    return np.take(pixels, np.arange(channels) % pixels.shape[2], axis=2)


def to_tensor(pictures: Sequence[np.ndarray]) -> Tensor:
    """Pictures as a batch between -1 and 1, (B, C, Y, X)."""
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return batch.float() / 127.5 - 1


def to_picture(image: Tensor) -> Image.Image:
    """An image between -1 and 1, (C, Y, X), as a picture; of further channels the first three."""
    pixels = ((image.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).byte()
    pixels = pixels.expand(3, -1, -1) if pixels.size(0) < 3 else pixels[:3]
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def contact_sheet(
    pictures: Iterable[Image.Image],
    captions: Iterable[str],
    columns: int = 6,
    side: int = 128,
    colours: Iterable[str] | None = None,
) -> Image.Image:
    """Pictures in rows, each above its caption."""
    cells = list(zip(pictures, captions, strict=True))
    inks = list(colours) if colours else ["black"] * len(cells)
    margin, line = 8, 16
    rows = -(-len(cells) // columns)
    across, down = side + margin, side + margin + line
    sheet = Image.new("RGB", (columns * across + margin, rows * down + margin), "white")
    draw = ImageDraw.Draw(sheet)
    for i, ((picture, caption), ink) in enumerate(zip(cells, inks, strict=True)):
        left, top = margin + i % columns * across, margin + i // columns * down
        sheet.paste(picture.resize((side, side), Image.NEAREST), (left, top))
        draw.text((left, top + side + 2), fitting(draw, caption, side), fill=ink)
    return sheet


def fitting(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    """The start of a text that is at most `width` pixels wide, in characters the font has."""
    text = text.encode("latin-1", "replace").decode("latin-1")
    while text and draw.textlength(text) > width:
        text = text[:-1]
    return text
