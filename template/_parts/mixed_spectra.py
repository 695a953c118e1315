"""Sounds as spectrograms, which are predicted, and back.

Shapes are written in letters:

    B  samples in the batch          M  mel bands
    I  samples of a sound            L  frames of a spectrogram
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Config
from .log_mel import HOP, WINDOW, log_mel, mel_filters


def spectrogram(sounds: Tensor, config: Config) -> Tensor:
    """What is predicted of sounds, (B, I) -> (B, M, L)."""
    return log_mel(sounds, config)


def as_sound(bands: Tensor, config: Config, rounds: int = 32) -> Tensor:
    """Log-mel spectrograms as sounds, (B, M, L) -> (B, I), peaks at 0.8 (Griffin and Lim 1984)."""
    size, hop = round(WINDOW * config.sample_rate), round(HOP * config.sample_rate)
    window = torch.hann_window(size, device=bands.device)
    filters = mel_filters(config.n_mels, size, config.sample_rate).to(bands.device)  # (M, bins)
    power = torch.linalg.pinv(filters) @ 10 ** (4 * bands.float() - 4)  # (B, bins, L)
    loud = F.pad(power.clamp(min=0).sqrt(), (0, 1))  # (B, bins, L + 1)
    turns = torch.rand(loud.shape, generator=torch.Generator().manual_seed(0)).to(bands.device)
    phase = torch.polar(torch.ones_like(loud), 2 * math.pi * turns)
    for _ in range(rounds):
        length = bands.size(-1) * hop
        sound = torch.istft(loud * phase, size, hop, window=window, length=length)  # (B, I)
        spectrum = torch.stft(sound, size, hop, window=window, return_complex=True)
        phase = spectrum / spectrum.abs().clamp(min=1e-8)
    return 0.8 * sound / sound.abs().amax(dim=1, keepdim=True).clamp(min=1e-8)
