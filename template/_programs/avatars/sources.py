"""Where takes (frames and their sound) come from: built in, or files below `--data`.

Without `--data` the takes are drawn as they are read. `--data` takes a folder of clips: GIFs, .npy
arrays, or folders of frames, each with a .wav and a .txt of the same name; frames are spread evenly
over the sound.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from .clips import clip_shape, read_clip
from .config import Config
from .synthetic import caption, synthetic_take
from .wav import read_wav

BUILT_IN = 1_000  # takes of the built-in data


@dataclass(frozen=True)
class Film:
    """A take that is read when it is needed, and what it shows; `read` returns all of it."""

    name: str
    text: str
    read: Callable[[], tuple[Tensor, Tensor]]


def built_in(config: Config, number: int) -> Film:
    """One of the built-in takes; it depends on the seed and its number alone."""
    text = caption(number)

    def read() -> tuple[Tensor, Tensor]:
        return synthetic_take(text, config, Random(f"{config.seed}/take/{number}"))

    return Film(f"built-in {number}", text, read)


def film_at(path: Path, config: Config) -> Film | None:
    """The take of some files; none where its sound or its text is missing."""
    sound, text = path.with_suffix(".wav"), path.with_suffix(".txt")
    if not (sound.exists() and text.exists()):
        return None

    def read() -> tuple[Tensor, Tensor]:
        return read_clip(path, config), read_wav(sound, config.sample_rate).float()

    return Film(str(path), text.read_text(encoding="utf-8").strip(), read)


def fitted(film: Film, at: float, config: Config) -> dict[str, Tensor]:
    """A take as a batch has it: frames, (Z, P, Y, X), and sound, (N,).

    It begins at a share of what is too long of it.
    """
    frames, sound = film.read()
    wanted = samples_of(config)
    start = int(max(0, sound.size(0) - wanted) * at)
    seconds = sound.size(0) / config.sample_rate
    moments = start / config.sample_rate + torch.arange(config.frames) / config.fps
    shown = (moments / seconds * len(frames)).long().clamp(max=len(frames) - 1)
    heard = sound[start : start + wanted]
    return {"video": frames[shown], "sound": F.pad(heard, (0, wanted - heard.size(0)))}


def samples_of(config: Config) -> int:
    """Samples of sound of a take."""
    return config.chunks * config.chunk_codes * config.code_samples


def random_films(config: Config, count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Noise like several takes."""
    video = torch.randn(count, *clip_shape(config), generator=generator) / 4
    sound = torch.randn(count, samples_of(config), generator=generator) / 4
    return {"video": video.clamp(-1, 1), "sound": sound.clamp(-1, 1)}
