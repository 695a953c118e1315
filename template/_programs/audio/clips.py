"""Sounds as clips: waveforms of one length and one sampling rate."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Config
from .model import log_mel
from .results import RESULTS
from .wav import read_wav, resample, write_spectrogram, write_wav

INPUT = "waveform"  # the key of a batch, (B, I)
COLUMN = "audio"  # of a Hugging Face dataset
SHOWN = ("heard.wav", "spectrogram.png")


def clip_shape(config: Config) -> tuple[int, ...]:
    """Samples of a clip; a frame begins every 10 ms."""
    return (config.n_frames * round(config.sample_rate / 100),)


def clip_paths(folder: Path) -> list[Path]:
    """Every WAV file below a folder, in order of their names."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() == ".wav" and p.is_file())


def clips_at(path: Path) -> list[Path]:
    """The WAV files that a path means: itself, or those below it."""
    return clip_paths(path) if path.is_dir() else [path]


def read_clip(path: Path, config: Config) -> Tensor:
    """A whole sound, (samples,)."""
    return read_wav(path, config.sample_rate)


def decode_clip(audio: Any, config: Config) -> Tensor:
    """The same of a cell of a Hugging Face dataset."""
    sound = torch.as_tensor(audio["array"], dtype=torch.float32)
    mono = sound.mean(dim=0) if sound.dim() > 1 else sound
    return resample(mono, audio["sampling_rate"], config.sample_rate)


def fit_clip(sound: Tensor, at: float, config: Config) -> Tensor:
    """A sound cut at the share `at` of what is too much, or padded with silence."""
    (samples,) = clip_shape(config)
    start = int(max(0, len(sound) - samples) * at)
    piece = sound[start : start + samples]
    return F.pad(piece.float(), (0, samples - len(piece)))


def show(sound: Tensor, answer: str, config: Config) -> None:
    """Write a clip, (I,), as the model heard it, and the spectrogram that it was given."""
    heard, spectrogram = (RESULTS / name for name in SHOWN)
    write_wav(heard, sound, config.sample_rate)
    write_spectrogram(spectrogram, log_mel(sound[None], config)[0])
