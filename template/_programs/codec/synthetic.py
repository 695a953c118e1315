"""The built-in sounds: chords, plucked notes and sweeps, seeded, made when they are heard."""

import math
from random import Random

import torch
from torch import Tensor

from .config import Config

COUNT = 3_000  # built-in sounds
SCALE = (0, 2, 4, 7, 9)  # semitones of a pentatonic scale
KINDS = ("chord", "plucks", "sweep")
HARMONICS = 4


def synthesise(index: int, config: Config) -> Tensor:
    """Sound `index` of a seed, (C, N) in [-1, 1]."""
    rng = Random(f"{config.seed}/sound/{index}")
    time = torch.arange(config.clip_samples) / config.sample_rate  # (N,) seconds
    length = config.clip_samples / config.sample_rate
    kind = KINDS[index % len(KINDS)]
    if kind == "chord":
        notes = [note(time, pitch(rng, config), rng) for _ in range(3)]
        sound = sum(notes) / 3 * (1 - torch.exp(-30 * time / length))
    elif kind == "plucks":
        sound = torch.zeros_like(time)
        for start in sorted(rng.uniform(-0.2, 0.9) * length for _ in range(4)):
            since = (time - start).clamp(min=0)
            decay = torch.exp(-rng.uniform(4, 8) * since / length) * (time >= start)
            sound = sound + note(since, pitch(rng, config), rng) * decay
        sound = sound / 2
    else:
        first, last = pitch(rng, config), pitch(rng, config)
        swept = first * length / math.log(last / first) if last != first else 0.0
        turns = swept * ((last / first) ** (time / length) - 1) if swept else first * time
        sound = torch.sin(2 * math.pi * turns)
    sides = torch.tensor([rng.uniform(0.5, 1) for _ in range(config.audio_channels)])
    return rng.uniform(0.4, 0.9) * sides[:, None] * sound.clamp(-1, 1)


def pitch(rng: Random, config: Config) -> float:
    """A note of the scale, in Hz: two octaves, the lowest an eightieth of the sampling rate."""
    semitones = 12 * rng.randrange(2) + rng.choice(SCALE)
    return config.sample_rate / 80 * 2 ** (semitones / 12)


def note(time: Tensor, frequency: float, rng: Random) -> Tensor:
    """Harmonics of a frequency, each weaker than the one below, at any phase."""
    phase = rng.uniform(0, 2 * math.pi)
    partials = (
        torch.sin(2 * math.pi * frequency * k * time + phase * k) / k**1.5
        for k in range(1, HARMONICS + 1)
    )
    return sum(partials) / 1.5
