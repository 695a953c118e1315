"""Where clips come from: built in, or files below `--data`.

Without `--data` the clips are drawn as they are read. `--data` takes a folder of clips: GIFs, .npy
arrays, or folders of frames, each with a .txt caption of the same name where prompts are read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from .clips import clip_shape, fit_clip, read_clip
from .config import Config
from .synthetic import caption, synthetic_clip

BUILT_IN = 2_000  # clips of the built-in data


@dataclass(frozen=True)
class Film:
    """A clip that is read when it is needed, and what it shows; `read` returns all frames."""

    name: str
    text: str
    read: Callable[[], Tensor]


def built_in(config: Config, number: int) -> Film:
    """One of the built-in clips; it depends on the seed and its number alone."""
    text = caption(number)

    def read() -> Tensor:
        return synthetic_clip(text, config, Random(f"{config.seed}/clip/{number}"))

    return Film(f"built-in {number}", text, read)


def film_at(path: Path, config: Config) -> Film | None:
    """The clip of some files; none where the caption is missing that is to be read."""
    beside = path.with_suffix(".txt")
    text = beside.read_text(encoding="utf-8").strip() if beside.exists() else ""
    if config.reads_text and not text:
        return None
    return Film(str(path), text, lambda: read_clip(path, config))


def fitted(film: Film, at: float, config: Config) -> dict[str, Tensor]:
    """A clip as a batch has it, (Z, P, Y, X), from a share of what is too much."""
    return {"video": fit_clip(film.read(), at, config)}


def random_films(config: Config, count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Noise like several clips."""
    video = torch.randn(count, *clip_shape(config), generator=generator) / 4
    return {"video": video.clamp(-1, 1)}
