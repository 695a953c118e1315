"""How clips begin that a model is to continue: pictures, or clips of which it sees the start."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .clips import PICTURES, clip_paths, read_clip, scale_frames
from .config import Config
from .sources import Film


def started(path: Path, text: str, config: Config) -> list[Film]:
    """The films that a picture, a clip, or a folder of either begins."""
    if not path.exists():
        raise ValueError(f'--input "{path}": nothing there')
    found = [path]
    if path.is_dir():
        pictures = [p for p in sorted(path.iterdir()) if p.suffix.lower() in PICTURES]
        found = sorted([*pictures, *clip_paths(path)]) or found
    return [Film(file.stem, text, lambda file=file: read_start(file, config)) for file in found]


def read_start(path: Path, config: Config) -> Tensor:
    """The frames of a clip, or a picture that stands still, (frames, P, Y, X)."""
    if path.suffix.lower() not in PICTURES:
        return read_clip(path, config)
    with Image.open(path) as picture:
        pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
    return scale_frames(pixels[None], config).expand(config.frames, -1, -1, -1)
