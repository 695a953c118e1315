"""The built-in sounds: every word of a prompt decides something that can be heard.

A sound has a register, a timbre, a figure of notes and a pace; loudness and noise vary from take
to take. Where the model is given a melody too, the prompt leaves the key to it.
"""

import math
from random import Random

import torch
from torch import Tensor

from .config import Config

COUNT = 2_000  # sounds
REGISTERS = {"low": 110.0, "middle": 220.0, "high": 440.0}  # Hz of the lowest note
TIMBRES = ("sine", "square", "saw", "organ")
FIGURES = {  # semitones above the lowest note, one after the other
    "tone": (0,),
    "arpeggio": (0, 4, 7, 12),
    "rise": (0, 2, 4, 5, 7, 9, 11, 12),
    "fall": (12, 11, 9, 7, 5, 4, 2, 0),
    "trill": (0, 2),
}
PACES = {"slow": 4, "fast": 8}  # notes a second


def prompt(seed: int, index: int) -> str:
    """What is said about sound `index`."""
    rng = Random(f"{seed}/prompt/{index}")
    register, timbre, figure, pace = (
        rng.choice(sorted(words)) for words in (REGISTERS, TIMBRES, FIGURES, PACES)
    )
    return f"a {register} {timbre} {figure}, {pace}"


def synthesise(text: str, samples: int, config: Config, rng: Random) -> Tensor:
    """The sound of a prompt, (samples,) in [-1, 1]; the same for the same state of `rng`."""
    words = text.replace(",", "").split()
    register, timbre, figure, pace = words[-4:]
    root = REGISTERS[register]
    if config.melodic:
        root = root * 2 ** (rng.randrange(12) / 12)  # the key, which only the melody tells
    t = torch.arange(samples) / config.sample_rate  # (samples,) seconds
    notes = torch.tensor(FIGURES[figure])
    beat = t * PACES[pace]
    pitch = root * 2 ** (notes[beat.long() % len(notes)] / 12)  # (samples,) Hz
    phase = torch.cumsum(pitch / config.sample_rate, dim=0)  # cycles
    sound = torch.zeros(samples)
    for harmonic, weight in harmonics(timbre):
        audible = harmonic * pitch < 0.45 * config.sample_rate
        sound = sound + weight * audible * torch.sin(2 * math.pi * harmonic * phase)
    fade = torch.exp(-2.0 * (beat % 1)) * (1 - torch.exp(-40.0 * (beat % 1)))
    sound = sound * (0.3 + 0.7 * fade) / sound.abs().amax().clamp(min=1e-6)
    hiss = torch.Generator().manual_seed(rng.getrandbits(63))
    noise = 0.003 * torch.randn(samples, generator=hiss)
    return (rng.uniform(0.5, 0.8) * sound + noise).clamp(-1, 1)


def harmonics(timbre: str) -> list[tuple[int, float]]:
    """The partials of a timbre: multiples of the pitch, and their weights."""
    if timbre == "sine":
        return [(1, 1.0)]
    if timbre == "square":
        return [(n, 1 / n) for n in range(1, 16, 2)]
    if timbre == "saw":
        return [(n, 1 / n) for n in range(1, 16)]
    return [(1, 1.0), (2, 0.7), (4, 0.5), (8, 0.3)]
