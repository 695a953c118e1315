"""Video as clips: frames of one size between -1 and 1, (Z, C, Y, X).

A clip on disk is a folder of pictures in order, a GIF, or a NumPy array of bytes
(frames, rows, columns, channels) in a .npy file.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageSequence
from torch import Tensor

from .config import Config
from .results import RESULTS

INPUT = "video"  # the key of a batch, (B, Z, C, Y, X), and of a Hugging Face dataset
COLUMN = INPUT
SHOWN = ("watched.gif",)
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


def clip_shape(config: Config) -> tuple[int, ...]:
    """Frames, channels, rows and columns of a clip."""
    return (config.frames, config.channels, config.image_size, config.image_size)


def clip_paths(folder: Path) -> list[Path]:
    """Every clip below a folder, in order of their names."""
    files = [p for p in folder.rglob("*") if p.is_file()]
    clips = {p.parent for p in files if p.suffix.lower() in PICTURES and p.parent != folder}
    return sorted(clips | {p for p in files if p.suffix.lower() in (".gif", ".npy")})


def clips_at(path: Path) -> list[Path]:
    """The clips that a path means: those below it, or itself."""
    return (clip_paths(path) if path.is_dir() else []) or [path]


def read_clip(path: Path, config: Config) -> Tensor:
    """A whole clip, (frames, C, Y, X); raise `ValueError` for what is none."""
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES)
        frames = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    elif path.suffix.lower() == ".npy":
        frames = list(np.load(path))
    else:
        with Image.open(path) as file:
            frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)]
    if not frames or frames[0].ndim != 3:
        raise ValueError(f"{path}: not a clip of frames (rows, columns, channels)")
    pixels = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)  # (frames, C, Y, X)
    return scale_frames(pixels, config)


def decode_clip(video: Any, config: Config) -> Tensor:
    """The same of a cell of a Hugging Face dataset, which is a decoder of frames."""
    return scale_frames(torch.stack([video[i] for i in range(len(video))]), config)


def scale_frames(pixels: Tensor, config: Config) -> Tensor:
    """Bytes cut to their central square, scaled to the size and channels of the model."""
    side = min(pixels.shape[-2:])
    top, left = ((length - side) // 2 for length in pixels.shape[-2:])
    square = pixels[..., top : top + side, left : left + side].float() / 127.5 - 1
    if config.channels == 1:
        square = square.mean(dim=1, keepdim=True)
    channels = torch.arange(config.channels) % square.size(1)
    size = (config.image_size, config.image_size)
    return F.interpolate(square[:, channels], size, mode="bilinear", antialias=True)


def fit_clip(video: Tensor, at: float, config: Config) -> Tensor:
    """Frames spread evenly over a clip; `at`, a share of their distance, moves all of them."""
    step = len(video) / config.frames
    moments = (torch.arange(config.frames) + at) * step
    return video[moments.long().clamp(max=len(video) - 1)]


def write_gif(path: Path, video: Tensor, caption: str, side: int = 160) -> None:
    """Write (Z, C, Y, X) as an animation with a caption below."""
    frames = []
    for frame in video:
        colours = frame[torch.arange(3) % frame.size(0)]
        pixels = ((colours + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0).numpy()
        sheet = Image.new("RGB", (side, side + 16), "white")
        sheet.paste(Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST))
        ImageDraw.Draw(sheet).text((4, side + 2), caption, fill="black")
        frames.append(sheet)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=160, loop=0)


def show(video: Tensor, answer: str, config: Config) -> None:
    """Write a clip, (Z, C, Y, X), as the model saw it, above its answer."""
    write_gif(RESULTS / SHOWN[0], video, answer)
