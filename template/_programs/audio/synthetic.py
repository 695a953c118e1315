"""The built-in sounds: each class is a way of sounding, at any pitch, level and noise.

No single frequency tells the classes apart: what matters is how a sound moves. With more classes
than kinds, each further round of them trembles faster.
"""

import math
from random import Random

import torch
from torch import Tensor

from .clips import clip_shape
from .config import Config

KINDS = ("tone", "rise", "fall", "vibrato", "chord", "pulses", "hiss", "decay", "siren", "steps")


def class_names(num_classes: int) -> list[str]:
    """The names of the classes: the kinds, then the kinds with a tremolo."""
    return [
        KINDS[i % len(KINDS)] + (f" tremolo {i // len(KINDS)}" if i >= len(KINDS) else "")
        for i in range(num_classes)
    ]


def synthetic_clip(label: int, config: Config, rng: Random) -> Tensor:
    """A sound of a class, (samples,) in [-1, 1]; the same for the same state of `rng`."""
    (samples,), sample_rate = clip_shape(config), config.sample_rate
    t = torch.arange(samples) / sample_rate  # (samples,) seconds
    length = samples / sample_rate
    phase = (t / length).clamp(0, 1)  # (samples,) from 0 to 1
    base = math.exp(rng.uniform(math.log(0.03), math.log(0.14))) * sample_rate  # Hz
    kind = KINDS[label % len(KINDS)]
    if kind == "hiss":
        wave = band_noise(samples, base / sample_rate, rng)
    else:
        wave = torch.sin(2 * math.pi * torch.cumsum(frequency(kind, phase, base), 0) / sample_rate)
    if kind == "chord":
        wave = (wave + sum(torch.sin(2 * math.pi * r * base * t) for r in (1.5, 2))) / 3
    elif kind == "pulses":
        wave = wave * (torch.sin(2 * math.pi * rng.randint(6, 9) * phase) > 0.3)
    elif kind == "decay":
        wave = wave * torch.exp(-rng.uniform(5, 8) * phase)
    tremolo = label // len(KINDS)
    if tremolo:
        wave = wave * (0.6 + 0.4 * torch.sin(2 * math.pi * 3 * tremolo * phase))
    noise = torch.Generator().manual_seed(rng.getrandbits(63))
    wave = wave + rng.uniform(0.002, 0.03) * torch.randn(samples, generator=noise)
    return (rng.uniform(0.2, 0.8) * wave).clamp(-1, 1)


def frequency(kind: str, phase: Tensor, base: float) -> Tensor:
    """The pitch of a kind of sound over time, in Hz, (samples,)."""
    if kind == "rise":
        return base * 2 ** (1.5 * phase)
    if kind == "fall":
        return base * 2 ** (1.5 - 1.5 * phase)
    if kind == "vibrato":
        return base * 2 ** (0.3 * torch.sin(2 * math.pi * 8 * phase))
    if kind == "siren":
        return base * 2 ** (1 - torch.cos(2 * math.pi * 2 * phase)).mul(0.6)
    if kind == "steps":
        return base * 2 ** ((phase * 4).floor() % 2)
    return base * torch.ones_like(phase)


def band_noise(samples: int, centre: float, rng: Random) -> Tensor:
    """Noise in a band around a frequency in cycles per sample, (samples,)."""
    generator = torch.Generator().manual_seed(rng.getrandbits(63))
    spectrum = torch.fft.rfft(torch.randn(samples, generator=generator))
    octaves = (torch.fft.rfftfreq(samples).clamp(min=1e-6) / centre).log2()
    band = torch.fft.irfft(spectrum * (octaves.abs() < 0.5), samples)
    return band / band.abs().amax().clamp(min=1e-6)
