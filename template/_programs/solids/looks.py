"""Pictures that say which shape is wanted: one beside a file, a rendering, or what is given."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from .config import Config
from .forms import form_of, views
from .pictures import SUFFIXES, picture_files, read_picture, to_tensor
from .rendering import VIEWS
from .sources import Source

DRAWN = 64  # pixels of a side of renderings, before they are scaled


@dataclass(frozen=True)
class Pictured:
    """A shape of which there is only a picture, and what else is told of it."""

    path: Path
    text: str
    label: str

    @property
    def name(self) -> str:
        return str(self.path)


def look(source: Source | Pictured, config: Config) -> Tensor:
    """The picture of a source, (C, Y, X) between -1 and 1."""
    return to_tensor([picture(source, config)])[0]


@lru_cache(maxsize=8192)
def picture(source: Source | Pictured, config: Config) -> np.ndarray:
    """The same as (size, size, channels) bytes: of a file, else drawn."""
    path = getattr(source, "path", None)
    beside = [path.with_suffix(suffix) for suffix in SUFFIXES] if path else []
    for file in beside:
        if file.exists():
            return read_picture(file, config.image_size, config.channels)
    form = form_of(source, config, f"look/{source.name}")
    drawn = Image.fromarray(views(form, DRAWN, VIEWS[:1])[0])
    return read_picture(drawn, config.image_size, config.channels)


def pictured(path: Path, text: str, label: str) -> list[Pictured]:
    """A picture, or those of a folder, as what shapes should look like."""
    files = picture_files(path) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise ValueError(f'--input "{path}": no picture there')
    return [Pictured(file, text, label) for file in files]
