"""Pictures of speakers."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from .clips import scale_frames
from .config import Config


def read_picture(path: Path, config: Config) -> Tensor:
    """A picture cut to its central square at the model's size, (1, P, Y, X)."""
    try:
        with Image.open(path) as picture:
            pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
    except (OSError, UnidentifiedImageError) as error:
        raise ValueError(f'--input "{path}": {error}') from error
    return scale_frames(pixels[None], config)
