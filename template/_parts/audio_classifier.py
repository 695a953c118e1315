"""A transformer over spectrograms that names what is heard.

Shapes are written in letters:

    B  clips in the batch            T  positions: patches, and tokens of their own
    I  samples of a clip             D  features of the residual stream
    M  mel bands                     F  hidden features of the MLP
    L  frames of a spectrogram       H  attention heads
    V  classes                       K  features of a head
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .log_mel import log_mel
from .residual_init import fill_weight
from .vit_block import VitBlock


class AudioClassifier(nn.Module):
    """Overlapping patches of a log-mel spectrogram, a stack of blocks, a head for the classes."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim, patch = config.d_model, config.patch_size
        stride = (config.freq_stride, config.time_stride)
        rows, columns = (
            (size - patch) // step + 1
            for size, step in zip((config.n_mels, config.n_frames), stride, strict=True)
        )
        positions = rows * columns + 1
        self.class_token = nn.Parameter(torch.empty(1, 1, dim))
        if config.distilled:
            positions += 1
            self.distill_token = nn.Parameter(torch.empty(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.empty(1, positions, dim))
        self.patch_embed = nn.Conv2d(1, dim, patch, stride)
        self.blocks = nn.ModuleList(
            VitBlock(config, dim, config.n_heads, config.head_dim, config.d_ff)
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(dim, config.norm_eps)
        self.head_norm = nn.LayerNorm(dim, config.norm_eps)
        self.head = nn.Linear(dim, config.num_classes)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`."""
        fill_weight(name, weight, self.config, generator)

    def classify(self, spectrogram: Tensor) -> Tensor:
        """Scores of the classes for spectrograms, (B, M, L) -> (B, V)."""
        images = spectrogram.unsqueeze(1).to(self.patch_embed.weight.dtype)  # (B, 1, M, L)
        x = self.patch_embed(images).flatten(2).transpose(1, 2)  # (B, 1, M, L) -> (B, T, D)
        if self.config.distilled:
            tokens = torch.cat((self.class_token, self.distill_token), dim=1)  # (1, 2, D)
        else:
            tokens = self.class_token  # (1, 1, D)
        x = torch.cat((tokens.expand(x.size(0), -1, -1), x), dim=1) + self.pos_embed  # (B, T, D)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        if self.config.distilled:
            pooled = (x[:, 0] + x[:, 1]) / 2  # (B, T, D) -> (B, D)
        else:
            pooled = x[:, 0]  # (B, T, D) -> (B, D)
        return self.head(self.head_norm(pooled))

    def forward(self, waveform: Tensor) -> Tensor:
        """Scores of the classes, (B, I) -> (B, V)."""
        return self.classify(log_mel(waveform, self.config))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean negative log-likelihood of `batch["labels"]`, (B,), in nats per clip."""
        return F.cross_entropy(self(batch["waveform"]).float(), batch["labels"])


def build_model(config: Config) -> AudioClassifier:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = AudioClassifier(config)
    if not model.head.weight.is_meta:
        model.init_weights(torch.Generator(model.head.weight.device).manual_seed(config.seed))
    return model
