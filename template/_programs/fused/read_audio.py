"""The sounds of samples."""

from typing import Any

import torch
from torch import Tensor

from .config import Config
from .synthetic import play
from .wav import read_wav


def read(rows: list[dict[str, Any]], config: Config) -> dict[str, Tensor]:
    """The starts of sounds, filled with silence, (B, I)."""
    samples = config.n_frames * round(config.sample_rate / 100)
    sounds = []
    for row in rows:
        if "number" in row:
            sounds.append(play(row["number"], samples))
        else:
            sound = read_wav(row["audio"], config.sample_rate)[:samples].float()
            sounds.append(torch.cat((sound, torch.zeros(samples - len(sound)))))
    return {"waveform": torch.stack(sounds)}
