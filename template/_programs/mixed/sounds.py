"""Spectrograms that the model gives, as sounds."""

from pathlib import Path
from typing import Any

from torch import Tensor

from .config import Config
from .spectra import as_sound
from .wav import write_wav


def write(
    name: str, found: dict[str, Tensor], i: int, note: dict[str, Any], stem: Path, config: Config
) -> str:
    """Save a sound with the spectrogram of sample `i` as WAV; return the file's name."""
    path = stem.with_suffix(".wav")
    write_wav(path, as_sound(found["audio"][i : i + 1], config)[0], config.sample_rate)
    return path.name
