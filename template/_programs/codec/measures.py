"""How alike two sounds are."""

import torch
from torch import Tensor

WINDOW = 512  # samples of a Fourier window, at most
FLOOR = 1e-3  # magnitudes below this, -60 dB, count as silence


def log_spectrum(waveform: Tensor) -> Tensor:
    """Levels of (..., N) in dB, (..., bins, frames); a full-scale tone is near 0."""
    size = min(WINDOW, waveform.size(-1))
    window = torch.hann_window(size, device=waveform.device)
    flat = waveform.reshape(-1, waveform.size(-1)).float()
    spectrum = torch.stft(flat, size, max(1, size // 4), window=window, return_complex=True)
    levels = 20 * (2 * spectrum.abs() / window.sum()).clamp(min=FLOOR).log10()
    return levels.view(*waveform.shape[:-1], *levels.shape[1:])


def spectral_distance(restored: Tensor, original: Tensor) -> Tensor:
    """Log-spectral distance of each clip of (B, C, N), in dB (Gray and Markel 1976).

    The root mean square over bins, then the mean over frames and channels, (B,).
    """
    difference = log_spectrum(restored) - log_spectrum(original)  # (B, C, bins, frames)
    return difference.square().mean(dim=-2).sqrt().mean(dim=(1, 2))


def signal_to_noise(restored: Tensor, original: Tensor) -> Tensor:
    """Energy of each clip of (B, C, N) over that of the error, in dB, (B,)."""
    signal = original.float().square().sum(dim=(1, 2))
    error = (restored.float() - original.float()).square().sum(dim=(1, 2))
    return 10 * ((signal + 1e-8) / (error + 1e-8)).log10()
