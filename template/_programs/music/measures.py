"""How far two sounds are apart."""

import torch
from torch import Tensor

FLOOR = 1e-5  # of the power of a full-scale tone: what is softer counts as silence


def log_spectrum(waveform: Tensor, size: int) -> Tensor:
    """Power in decibels of every bin and frame, (B, N) -> (B, bins, frames)."""
    window = torch.hann_window(size, device=waveform.device)
    spectrum = torch.stft(
        waveform.float(), size, size // 4, window=window, pad_mode="constant", return_complex=True
    )
    return 10 * (spectrum.abs().square() * (4 / size**2) + FLOOR).log10()


def spectral_distance(first: Tensor, second: Tensor) -> Tensor:
    """Log-spectral distance in decibels, (B, bins, frames) twice -> (B,).

    The root of the mean square over the bins of a frame, averaged over frames (Gray and Markel
    1976).
    """
    return (first - second).square().mean(dim=1).sqrt().mean(dim=1)
