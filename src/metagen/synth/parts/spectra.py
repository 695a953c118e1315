"""Spectra of sound: Fourier transforms of windows, mel bands, and how far two sounds are apart."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from ..arrays import concatenate

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace

#: Samples of the Fourier windows in which sounds are compared, and the most bands of each.
WINDOWS, MOST_MELS = tuple(2**i for i in range(5, 12)), 64


def stft(waveform: Array, size: int, hop: int, *, mirrored: bool = True) -> Array:
    """`torch.stft` around every `hop`-th sample, (B, N) -> (B, bins, frames, 2).

    The last axis is that of complex numbers. A real transform takes 2.5 · N · log2 N operations.
    Backward keeps the windowed frames, the window and, where its ends are mirrored, the waveform.
    """
    trace, (batch, samples) = waveform.trace, waveform.shape
    window, margins = trace.new((size,), "fp32"), size // 2 * 2
    padded = waveform.pad(-1, margins)
    frames = (samples + margins - size) // hop + 1
    framed = trace.compute((padded, window), (batch, frames, size))
    for array in (framed, window, *((waveform,) if mirrored else ())):
        if framed.grad:
            trace.keep(array)
    flops = 2.5 * size * log2(size) * batch * frames
    spectrum = trace.compute((framed,), (batch, frames, size // 2 + 1, 2), flops=flops)
    return spectrum.transpose(1, 2)


def mel_filters(trace: Trace, count: int, size: int) -> Array:
    """Filters of the bins of a window, (count, bins), out of four such in double precision."""
    shape = (count, size // 2 + 1)
    trace.new((4, *shape, 2), "fp32")
    return trace.new(shape, "fp32")


def log_mels(waveform: Array, size: int) -> Array:
    """Logarithms of mel magnitudes, (B, N) -> (B, bands, frames)."""
    spectrum = stft(waveform.float(), size, max(1, size // 4))
    power = spectrum.select(-1).apply("pow") + spectrum.select(-1).apply("pow")
    filters = mel_filters(waveform.trace, min(MOST_MELS, size // 4), size)
    filters = filters / filters.sum(1, keepdim=True).apply("clamp")
    return (filters @ power + 1.0).apply("log") / 2.0


def reconstruction_loss(restored: Array, original: Array) -> None:
    """Differences of two waveforms (B, C, N), and of their spectra over windows of many sizes."""
    restored, original = restored.flatten(0, 1).float(), original.flatten(0, 1).float()
    samples = original.shape[-1]
    (restored - original).apply("abs").mean()
    for size in [size for size in WINDOWS if size <= samples] or [samples]:
        ours, theirs = log_mels(concatenate((restored, original), 0), size).chunk(2, 0)
        difference = (ours - theirs).flatten(1)
        (difference.apply("pow").mean(1) + 1.0).apply("sqrt").mean()
        difference.apply("abs").mean()
