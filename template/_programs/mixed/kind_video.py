"""Clips, (Z, C, Y, X) between -1 and 1."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .clips import fit_clip, read_clip, write_gif
from .config import Config
from .outlines import drawn
from .synthetic import Concept, chance, noise


def make(name: str, known: Concept, config: Config, answer: bool) -> Tensor:
    """A figure of the concept's kind that moves as far as its level; as an input with noise."""
    size, channels = config.image_size, config.channels
    height = 0.0 if answer else chance(known, name).uniform(-0.2, 0.2)
    moments = torch.linspace(0, 1, config.frames).tolist()
    frames = [
        drawn(known, size, channels, [(-0.55 + 1.1 * known.level * t, height, 0.4)])
        for t in moments
    ]
    video = torch.stack(frames)
    return video if answer else video + 0.05 * noise(known, name, *video.shape)


def load(name: str, cell: Any, config: Config, answer: bool) -> Tensor:
    """The clip of a GIF, a .npy file, or a folder of pictures."""
    return fit_clip(read_clip(Path(cell), config), 0.0, config)


def learn(name: str, raws: list[Tensor], config: Config) -> dict[str, Any]:
    """Nothing: clips have one scale."""
    return {}


def stack(
    name: str, raws: list[Tensor], note: dict[str, Any], config: Config, answer: bool
) -> dict[str, Tensor]:
    """Clips, (B, Z, C, Y, X)."""
    return {"video": torch.stack(raws)}


def write(
    name: str, found: dict[str, Tensor], i: int, note: dict[str, Any], stem: Path, config: Config
) -> str:
    """Save the clip of sample `i` as GIF; return the file's name."""
    path = stem.with_suffix(".gif")
    write_gif(path, found["video"][i], f"sample {i}")
    return path.name
