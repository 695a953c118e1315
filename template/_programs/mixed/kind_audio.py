"""Sounds, (I,) in [-1, 1]."""

import math
from typing import Any

import torch
from torch import Tensor

from .config import Config
from .synthetic import Concept, chance, noise
from .wav import read_wav

PITCHES = (0.05, 0.09, 0.15, 0.25)  # of the sampling rate
FRAMES_PER_SECOND = 100


def make(name: str, known: Concept, config: Config, answer: bool) -> Tensor:
    """A tone whose pitch is the kind and whose length is the level; as an input with noise."""
    samples = config.n_frames * round(config.sample_rate / FRAMES_PER_SECOND)
    bend = 1.0 if answer else chance(known, name).uniform(0.97, 1.03)
    wave = torch.sin(2 * math.pi * PITCHES[known.kind] * bend * torch.arange(samples))
    heard = torch.arange(samples) < (0.2 + 0.7 * known.level) * samples
    hiss = 0.01 * noise(known, "answer" if answer else name, samples)
    return (0.6 * wave * heard + hiss).clamp(-1, 1)


def load(name: str, cell: Any, config: Config, answer: bool) -> Tensor:
    """The start of a WAV file, filled with silence."""
    samples = config.n_frames * round(config.sample_rate / FRAMES_PER_SECOND)
    sound = read_wav(cell, config.sample_rate)[:samples].float()
    return torch.cat((sound, torch.zeros(samples - len(sound))))


def learn(name: str, raws: list[Tensor], config: Config) -> dict[str, Any]:
    """Nothing: sounds have one scale."""
    return {}


def stack(
    name: str, raws: list[Tensor], note: dict[str, Any], config: Config, answer: bool
) -> dict[str, Tensor]:
    """Sounds, (B, I)."""
    return {"audio": torch.stack(raws)}
