"""The built-in speech: syllables of a consonant and a vowel, made of formants.

A text is three syllables; each vowel has two resonances of its own and each consonant a noise or a
hum. Loudness and noise vary from take to take, so that the text decides all but those.
"""

import math
from random import Random

import torch
from torch import Tensor

from .config import Config

COUNT = 2_000  # utterances
SYLLABLES = 3
VOWELS = {"a": (750, 1250), "e": (500, 1650), "i": (300, 1800), "o": (450, 850), "u": (320, 650)}
CONSONANTS = ("m", "s", "t", "z")
PITCH = 120.0  # Hz of the voice


def prompt(seed: int, index: int) -> str:
    """What is said in utterance `index`."""
    rng = Random(f"{seed}/prompt/{index}")
    pairs = ((rng.choice(CONSONANTS), rng.choice(sorted(VOWELS))) for _ in range(SYLLABLES))
    return " ".join(consonant + vowel for consonant, vowel in pairs)


def synthesise(text: str, samples: int, config: Config, rng: Random) -> Tensor:
    """The sound of a text, (samples,) in [-1, 1]; the same for the same state of `rng`."""
    spoken = [s for s in text.split() if len(s) == 2 and s[0] in CONSONANTS and s[1] in VOWELS]
    length = samples // max(SYLLABLES, len(spoken))
    hiss = torch.Generator().manual_seed(rng.getrandbits(63))
    pieces = [syllable(consonant, vowel, length, config, hiss) for consonant, vowel in spoken]
    sound = torch.cat((*pieces, torch.zeros(samples)))[:samples]
    noise = 0.003 * torch.randn(samples, generator=hiss)
    return (rng.uniform(0.5, 0.8) * sound + noise).clamp(-1, 1)


def syllable(
    consonant: str, vowel: str, samples: int, config: Config, hiss: torch.Generator
) -> Tensor:
    """A consonant of a quarter of the time, then a vowel that fades, (samples,)."""
    early = samples // 4
    t = torch.arange(samples) / config.sample_rate  # (samples,) seconds
    voiced = torch.zeros(samples)
    for harmonic in range(1, int(0.45 * config.sample_rate / PITCH)):
        frequency = harmonic * PITCH
        peaks = (math.exp(-(((frequency - f) / 150) ** 2)) for f in VOWELS[vowel])
        wave = torch.sin(2 * math.pi * frequency * t)
        voiced = voiced + (0.02 + sum(peaks)) * wave
    voiced = voiced / voiced.abs().amax()
    phase = torch.arange(samples) / samples  # (samples,) from 0 to 1
    vowel_envelope = ((phase - 0.25) * 12).clamp(0, 1) * ((1 - phase) * 6).clamp(0, 1)
    noise = torch.randn(early, generator=hiss) * 0.2
    if consonant == "s":
        noise = noise.diff(prepend=noise[:1])  # the higher part of it
    elif consonant == "t":
        noise = 2 * noise * (torch.arange(early) > 0.7 * early)  # silence, then a burst
    elif consonant == "z":
        noise = noise + 0.5 * torch.sin(2 * math.pi * PITCH * t[:early])
    else:
        noise = 0.6 * torch.sin(2 * math.pi * PITCH * t[:early])
    sound = voiced * vowel_envelope
    sound[:early] += noise
    return sound
