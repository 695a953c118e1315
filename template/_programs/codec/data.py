"""Sounds as tensors, in batches that are functions of the step.

Without `--data` sounds are made as they are heard. `--data` takes a WAV file, a folder of them, or
the name of a Hugging Face dataset with a column `audio`. The clips of a step follow from
(seed, step), so training resumes exactly and does not depend on how many processes share a batch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Config
from .reading import dataset_rows
from .synthetic import COUNT, synthesise
from .wav import read_channels, resample


@dataclass(frozen=True)
class Sound:
    """A sound that is read when it is needed; `read` returns all of it, (channels, samples)."""

    name: str
    read: Callable[[], Tensor]


class Corpus:
    """Training and held-out sounds."""

    def __init__(self, config: Config):
        self.config = config
        sounds = find_sounds(config)
        rng = Random(f"{config.seed}/split")
        order = rng.sample(range(len(sounds)), len(sounds))
        held_out = max(1, round(len(sounds) * config.val_fraction))
        self.val = [sounds[i] for i in sorted(order[:held_out])]
        self.train = [sounds[i] for i in sorted(order[held_out:])]

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Clips `rows` of the step's global batch, each cut out of its sound at random."""
        rng = Random(f"{self.config.seed}/batch/{step}")
        draws = [(rng.choice(self.train), rng.random()) for _ in range(self.config.global_batch)]
        clips = [fit(draws[row][0].read(), draws[row][1], self.config) for row in rows]
        return {"waveform": torch.stack(clips)}  # (B, C, N)

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out sounds in order, at most `limit` of them, the middle of each."""
        sounds = self.val[:limit]
        for first in range(0, len(sounds), batch_size):
            chosen = sounds[first : first + batch_size]
            yield {"waveform": torch.stack([fit(s.read(), 0.5, self.config) for s in chosen])}


def fit(sound: Tensor, at: float, config: Config) -> Tensor:
    """A clip (C, N): cut at the share `at` of what is too much, or padded with silence."""
    start = int(max(0, sound.size(-1) - config.clip_samples) * at)
    piece = mix(sound, config)[:, start : start + config.clip_samples].float()
    return F.pad(piece, (0, config.clip_samples - piece.size(-1)))


def mix(sound: Tensor, config: Config) -> Tensor:
    """As many channels as the codec has: those there are, or their mean for each."""
    if len(sound) == config.audio_channels:
        return sound
    return sound.mean(dim=0, keepdim=True).expand(config.audio_channels, -1)


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Noise, shaped as a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, config.audio_channels, config.clip_samples)
    return {"waveform": (torch.randn(shape, generator=generator) / 4).clamp(-1, 1)}


def prepare(config: Config) -> None:
    """Check the data; sounds are read from where they are."""
    if len(find_sounds(config)) < 2:
        raise ValueError(f'--data "{config.data}": one sound is not enough to train on')
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)


def find_sounds(config: Config) -> list[Sound]:
    """The sounds that `--data` names, without it the built-in ones."""
    if not config.data:
        return [Sound(f"built-in {i}", lambda i=i: synthesise(i, config)) for i in range(COUNT)]
    path = Path(config.data)
    if path.is_dir():
        files = wav_files(path)
        if not files:
            raise ValueError(f'--data "{config.data}": no WAV file there')
        return [Sound(str(file), lambda file=file: read_sound(file, config)) for file in files]
    if path.is_file():
        return pieces(path, config)
    return dataset_sounds(config)


def wav_files(folder: Path) -> list[Path]:
    """Every WAV file below a folder, in order of their names."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() == ".wav" and p.is_file())


def read_sound(path: Path, config: Config) -> Tensor:
    """A file at the codec's sampling rate, (channels, samples)."""
    return read_channels(path, config.sample_rate)


def pieces(path: Path, config: Config) -> list[Sound]:
    """One long file as sounds of a clip's length."""
    sound = read_sound(path, config)
    return [
        Sound(f"{path} {i}", lambda piece=piece: piece)
        for i, piece in enumerate(sound.split(config.clip_samples, dim=-1))
    ]


def dataset_sounds(config: Config) -> list[Sound]:
    """The sounds of a Hugging Face dataset."""
    rows = dataset_rows(config.data)

    def read(index: int) -> Tensor:
        audio = rows[index]["audio"]
        sound = torch.as_tensor(audio["array"], dtype=torch.float32)
        return resample(torch.atleast_2d(sound), audio["sampling_rate"], config.sample_rate)

    return [Sound(f"{config.data} {i}", lambda i=i: read(i)) for i in range(len(rows))]
