"""The built-in samples: what a sample means takes all of its inputs together.

A sample is a number. Its picture shows some equal shapes, its sound is some equal notes, its text
asks for one quality of them. The answer is the label, and the group of an embedding; the value
counts what is there, and a text that asks something adds a number of its own.
"""

import math
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from torch import Tensor

from .config import Config

COLOURS = {
    "red": (230, 25, 25),
    "green": (25, 180, 50),
    "blue": (40, 65, 230),
    "yellow": (242, 217, 25),
    "purple": (155, 50, 180),
    "white": (255, 255, 255),
}
SHAPES = ("circle", "square", "triangle", "cross")
PITCHES = {"low": 0.05, "middle": 0.1, "high": 0.2}  # of the sampling rate
MOTIONS = {"steady": 0.0, "rising": 1.0, "falling": -1.0}  # octaves over a note
MOST = 4  # shapes of a picture, notes of a sound
BACKGROUND = 40


@dataclass(frozen=True)
class Facts:
    """All there is to know about a sample; `draw` picks the question."""

    colour: str
    shape: str
    shown: int
    pitch: str
    motion: str
    heard: int
    draw: int
    more: int


def facts(number: int) -> Facts:
    """The facts of a number, always the same ones."""
    rng = Random(f"fused/{number}")
    return Facts(
        rng.choice(list(COLOURS)),
        rng.choice(SHAPES),
        rng.randint(1, MOST),
        rng.choice(list(PITCHES)),
        rng.choice(list(MOTIONS)),
        rng.randint(1, MOST),
        rng.randrange(12),
        rng.randint(0, 3),
    )


def qualities(config: Config) -> dict[str, tuple[str, ...]]:
    """What can be asked about, and its answers."""
    found = {}
    if config.reads_image or not config.reads_audio:
        found |= {"colour": tuple(COLOURS), "shape": SHAPES}
    if config.reads_audio:
        found |= {"pitch": tuple(PITCHES), "motion": tuple(MOTIONS)}
    return found


def asked(known: Facts, config: Config) -> str:
    """The quality that is asked for: by the text, else by the picture's shape, else the first."""
    if config.reads_text:
        names = list(qualities(config))
        return names[known.draw % len(names)]
    elif config.reads_image and config.reads_audio:
        return "pitch" if known.shape in SHAPES[:2] else "motion"
    else:
        return next(iter(qualities(config)))


def answer(known: Facts, config: Config) -> str:
    """The right answer."""
    return getattr(known, asked(known, config))


def answers(config: Config) -> list[str]:
    """Every answer, in order."""
    return [word for words in qualities(config).values() for word in words]


def class_names(config: Config) -> list[str]:
    """The classes: answers, several to a class where there are more of them than classes."""
    words = answers(config)
    return [" or ".join(words[i :: config.num_classes]) for i in range(config.num_classes)]


def count(known: Facts, config: Config) -> int:
    """The value: what is shown, what is heard, and what the text adds."""
    total = 0
    if config.reads_image or not config.reads_audio:
        total += known.shown
    if config.reads_audio:
        total += known.heard
    if config.reads_text:
        total += known.more
    return total


def question(known: Facts, config: Config) -> str:
    """The text of a sample; where nothing else is read, it also says what there is."""
    if config.reads_image or config.reads_audio:
        return f"which {asked(known, config)}? add {known.more}"
    else:
        there = f"{known.shown} {known.colour} {known.shape}"
        return f"{there}. which {asked(known, config)}? add {known.more}"


def draw_picture(number: int, size: int, channels: int) -> np.ndarray:
    """The picture of a number, (size, size, channels) bytes: shapes in quarters of it."""
    known, rng = facts(number), Random(f"fused/places/{number}")
    picture = np.full((size, size, 3), BACKGROUND, dtype=np.uint8)
    for quarter in rng.sample(range(4), known.shown):
        x, y = quarter % 2 - 0.5, quarter // 2 - 0.5
        x, y = x + rng.uniform(-0.08, 0.08), y + rng.uniform(-0.08, 0.08)
        picture[covered(known.shape, size, x, y)] = COLOURS[known.colour]
    if channels != 3:
        picture = picture.mean(axis=2, keepdims=True).astype(np.uint8).repeat(channels, axis=2)
    return picture


def covered(shape: str, size: int, x: float, y: float, radius: float = 0.4) -> np.ndarray:
    """Where a shape around (x, y) lies, (size, size); a picture spans -1 to 1 on both axes."""
    ticks = (np.arange(size) + 0.5) * 2 / size - 1
    u, v = (ticks[None, :] - x) / radius, (ticks[:, None] - y) / radius
    if shape == "circle":
        return u**2 + v**2 <= 1
    if shape == "square":
        return np.maximum(abs(u), abs(v)) <= 0.85
    if shape == "triangle":
        return (abs(v) <= 0.9) & (abs(u) <= (v + 0.9) / 1.8)
    return (np.minimum(abs(u), abs(v)) <= 0.33) & (np.maximum(abs(u), abs(v)) <= 1)


def play(number: int, samples: int) -> Tensor:
    """The sound of a number, (samples,) in [-1, 1]: notes in quarters of it."""
    known, rng = facts(number), Random(f"fused/notes/{number}")
    wave = torch.zeros(samples)
    length = samples // 5
    t = torch.arange(length) / max(1, length)  # (length,) from 0 to 1
    pitch = PITCHES[known.pitch] * rng.uniform(0.95, 1.05)
    bend = 2 ** (MOTIONS[known.motion] * (t - 0.5))
    note = torch.sin(2 * math.pi * torch.cumsum(pitch * bend, 0)) * torch.sin(math.pi * t)
    for quarter in rng.sample(range(MOST), known.heard):
        start = quarter * samples // MOST + rng.randrange(samples // 40 + 1)
        wave[start : start + length] += note[: samples - start]
    noise = torch.Generator().manual_seed(rng.getrandbits(63))
    return (0.6 * wave + 0.01 * torch.randn(samples, generator=noise)).clamp(-1, 1)
