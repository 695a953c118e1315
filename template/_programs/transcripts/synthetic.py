"""The built-in utterances: every letter is a chirp of its own, a space is a pause.

Voices differ in pitch, pace, loudness and noise, so that a letter never sounds the same twice.
"""

import math
from random import Random

import torch
from torch import Tensor

from .config import Config

COUNT = 20_000  # utterances
LETTERS = "abcdefgh"
SECONDS = 0.09  # of a letter at the usual pace
LONGEST = 0.95  # seconds of an utterance

#: Where each letter's chirp starts and ends, in Hz: four pitches, each rising and falling.
CHIRPS = {
    letter: (pitch, pitch * bend)
    for letter, (pitch, bend) in zip(
        LETTERS,
        ((p, b) for p in (300.0, 600.0, 1200.0, 2400.0) for b in (1.4, 0.7)),
        strict=True,
    )
}


def transcript(seed: int, index: int) -> str:
    """What utterance `index` says: two words of two or three letters."""
    rng = Random(f"{seed}/transcript/{index}")
    return " ".join("".join(rng.choices(LETTERS, k=rng.randint(2, 3))) for _ in range(2))


def utterance(text: str, config: Config, rng: Random) -> Tensor:
    """The sound of a text, (samples,) in [-1, 1]; the same for the same state of `rng`."""
    pitch = 2 ** rng.uniform(-0.15, 0.15)
    pace = min(rng.uniform(0.92, 1.08), LONGEST / (SECONDS * len(text)))
    samples = round(SECONDS * pace * config.sample_rate)
    phase = torch.arange(samples) / samples  # (samples,) from 0 to 1
    envelope = torch.sin(math.pi * phase)  # (samples,)
    pieces = []
    for letter in text:
        if letter not in CHIRPS:
            pieces.append(torch.zeros(samples))
            continue
        first, last = (f * pitch / config.sample_rate for f in CHIRPS[letter])  # cycles a sample
        cycles = torch.cumsum(first + (last - first) * phase, dim=0)
        pieces.append(envelope * torch.sin(2 * math.pi * cycles))
    sound = torch.cat(pieces) * rng.uniform(0.3, 0.8)
    noise = torch.Generator().manual_seed(rng.getrandbits(63))
    hiss = rng.uniform(0.002, 0.02) * torch.randn(len(sound), generator=noise)
    return (sound + hiss).clamp(-1, 1)
