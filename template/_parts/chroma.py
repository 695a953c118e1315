"""Melodies as pitch classes."""

import torch
import torch.nn.functional as F
from torch import Tensor

PITCHES = 12
LOWEST = 30.0  # Hz; what is below has no pitch


def chroma(waveform: Tensor, rate: int, hop: int) -> Tensor:
    """The loudest pitch class of every `hop` samples, (B, N) -> (B, N / hop, 12), one or none.

    Nothing but the strongest class is kept, so that a melody says which notes are played and not
    how they sound (Copet et al. 2023, section 2.3).
    """
    size = 4 * hop
    window = torch.hann_window(size, device=waveform.device)
    spectrum = torch.stft(
        waveform.float(), size, hop, window=window, pad_mode="constant", return_complex=True
    )
    power = spectrum.abs().square()[..., : -(-waveform.size(1) // hop)]  # (B, bins, M)
    energy = (pitch_classes(size, rate).to(waveform.device) @ power).transpose(1, 2)  # (B, M, 12)
    strongest = F.one_hot(energy.argmax(dim=-1), PITCHES)
    return strongest * (energy.sum(dim=-1, keepdim=True) > 1e-6)


def pitch_classes(size: int, rate: int) -> Tensor:
    """Which bins of a Fourier transform belong to which class, A first, (12, bins)."""
    frequency = torch.linspace(0, rate / 2, size // 2 + 1)  # (bins,) Hz
    semitones = 12 * torch.log2(frequency.clamp(min=LOWEST) / 440.0)
    classes = F.one_hot(semitones.round().long() % PITCHES, PITCHES).T  # (12, bins)
    return classes * (frequency >= LOWEST).float()
