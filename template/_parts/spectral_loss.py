"""How far a waveform is from another: in its samples, and in its spectra at many resolutions."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .log_mel import mel_filters

WINDOWS = tuple(2**i for i in range(5, 12))  # samples of a Fourier window
MOST_MELS = 64
SAMPLES = 10.0  # weight of the samples' differences, which are small numbers
QUIET = 1e-3  # magnitudes below this are not told apart


def log_mels(waveform: Tensor, size: int, sample_rate: int) -> Tensor:
    """Logarithms of mel magnitudes, (B, N) -> (B, bands, frames), a window every size / 4."""
    window = torch.hann_window(size, device=waveform.device)
    spectrum = torch.stft(
        waveform.float(),
        size,
        max(1, size // 4),
        window=window,
        normalized=True,
        return_complex=True,
    )  # (B, bins, frames)
    power = spectrum.real.square() + spectrum.imag.square()
    filters = mel_filters(min(MOST_MELS, size // 4), size, sample_rate).to(waveform.device)
    filters = filters / filters.sum(dim=1, keepdim=True).clamp(min=1e-12)  # (bands, bins)
    return (filters @ power + QUIET**2).log() / 2


def reconstruction_loss(restored: Tensor, original: Tensor, sample_rate: int) -> Tensor:
    """The mean absolute difference of two (B, C, N), weighted, and that of their spectra.

    Spectra differ by the L1 distance of log-mel spectra plus their L2 distance, on average over
    windows of 32 to 2048 samples (Défossez et al. 2022, equation 2, without its weights).
    """
    restored, original = restored.flatten(0, 1).float(), original.flatten(0, 1).float()
    sizes = [size for size in WINDOWS if size <= original.size(-1)] or [original.size(-1)]
    loss = SAMPLES * F.l1_loss(restored, original)
    for size in sizes:
        ours, theirs = log_mels(torch.cat((restored, original)), size, sample_rate).chunk(2)
        difference = (ours - theirs).flatten(1)  # (B * C, bands * frames)
        distance = (difference.square().mean(dim=1) + 1e-8).sqrt().mean()
        loss = loss + (difference.abs().mean() + distance) / len(sizes)
    return loss
