"""Log-mel spectrograms."""

import torch
from torch import Tensor

from .config import Config

LOG_64 = 1.8562979903656263  # the natural logarithm of 6.4
WINDOW, HOP = 0.025, 0.010  # seconds of a Fourier window, and from one to the next


def log_mel(audio: Tensor, config: Config) -> Tensor:
    """Waveforms in [-1, 1] as log-mel spectrograms, (B, samples) -> (B, M, frames).

    Eight decades below each clip's loudest cell are kept and scaled to about [-1, 1], as Radford
    et al. (2022, section 2.2) describe.
    """
    size, hop = round(WINDOW * config.sample_rate), round(HOP * config.sample_rate)
    window = torch.hann_window(size, device=audio.device)
    audio = audio.float()
    spectrum = torch.stft(audio, size, hop, window=window, return_complex=True)[..., :-1]
    power = spectrum.abs().square()  # (B, bins, frames)
    filters = mel_filters(config.n_mels, size, config.sample_rate).to(audio.device)  # (M, bins)
    log = (filters @ power).clamp(min=1e-10).log10()  # (B, M, frames)
    log = log.maximum(log.amax(dim=(1, 2), keepdim=True) - 8.0)
    return (log + 4.0) / 4.0


def mel_filters(count: int, size: int, rate: int) -> Tensor:
    """Triangular filters of unit area, evenly spaced on Slaney's mel scale, (count, bins)."""
    top = hertz_to_mel(torch.tensor(rate / 2, dtype=torch.float64))
    corners = mel_to_hertz(torch.linspace(0.0, 1.0, count + 2, dtype=torch.float64) * top)
    bins = torch.linspace(0.0, rate / 2, size // 2 + 1, dtype=torch.float64)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    return (rising.minimum(falling).clamp(min=0) * 2 / (right - left)).float()


def hertz_to_mel(hertz: Tensor) -> Tensor:
    """Slaney's scale: linear up to 1 kHz, then 27 logarithmic steps to a factor of 6.4."""
    return torch.where(
        hertz < 1000.0, hertz * 3 / 200, 15 + (hertz.clamp(min=1000.0) / 1000.0).log() * 27 / LOG_64
    )


def mel_to_hertz(mel: Tensor) -> Tensor:
    """The inverse of `hertz_to_mel`."""
    return torch.where(mel < 15, mel * 200 / 3, 1000.0 * ((mel - 15) * LOG_64 / 27).exp())
