"""Tokens of sounds."""

import torch
from torch import Tensor, nn

from .config import Config
from .log_mel import log_mel


class SoundPatches(nn.Module):
    """Square patches of a sound's log-mel spectrogram."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim, patch = config.d_model, config.audio_patch
        patches = (config.n_mels // patch) * (config.n_frames // patch)
        self.pos_embed = nn.Parameter(torch.empty(patches, dim))
        self.proj = nn.Conv2d(1, dim, patch, stride=patch)

    def forward(self, waveform: Tensor) -> Tensor:
        sound = log_mel(waveform, self.config).unsqueeze(1)  # (B, I) -> (B, 1, M, L)
        x = self.proj(sound.to(self.proj.weight.dtype))  # (B, D, M / p, L / p)
        return x.flatten(2).transpose(1, 2) + self.pos_embed  # (B, N, D)
