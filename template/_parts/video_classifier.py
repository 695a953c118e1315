"""A transformer over video that names what happens.

Shapes are written in letters:

    B  clips in the batch            T  positions of the sequence
    Z  frames of a clip              D  features of the residual stream
    C  channels                      F  hidden features of the MLP
    Y  rows, X  columns              H  attention heads
    V  classes                       K  features of a head
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .residual_init import fill_weight
from .vit_block import VitBlock


class VideoClassifier(nn.Module):
    """Tubelets of a clip, joint attention over space and time, a head that scores the classes."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim, patch = config.d_model, config.patch_size
        size = (config.tubelet, patch, patch)
        if config.pool == "class_token":
            self.class_token = nn.Parameter(torch.empty(1, 1, dim))
        if config.pos == "learned":
            positions = config.frames // config.tubelet * (config.image_size // patch) ** 2
            if config.pool == "class_token":
                positions += 1
            self.pos_embed = nn.Parameter(torch.empty(1, positions, dim))
        self.tubelet_embed = nn.Conv3d(config.channels, dim, size, stride=size)
        self.blocks = nn.ModuleList(
            VitBlock(config, dim, config.n_heads, config.head_dim, config.d_ff)
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(dim, config.norm_eps)
        self.head = nn.Linear(dim, config.num_classes)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`."""
        fill_weight(name, weight, self.config, generator)

    def features(self, video: Tensor) -> Tensor:
        """One vector for each clip, (B, Z, C, Y, X) -> (B, D)."""
        clips = video.transpose(1, 2).to(self.head.weight.dtype)  # (B, C, Z, Y, X)
        x = self.tubelet_embed(clips).flatten(2).transpose(1, 2)  # (B, C, Z, Y, X) -> (B, T, D)
        if self.config.pool == "class_token":
            x = torch.cat((self.class_token.expand(x.size(0), -1, -1), x), dim=1)  # (B, T, D)
        if self.config.pos == "learned":
            x = x + self.pos_embed
        else:
            x = x + sinusoids(x)
        for block in self.blocks:
            x = block(x)
        if self.config.pool == "class_token":
            return self.norm(x)[:, 0]
        else:
            return self.norm(x.mean(dim=1))

    def forward(self, video: Tensor) -> Tensor:
        """Scores of the classes, (B, Z, C, Y, X) -> (B, V)."""
        return self.head(self.features(video))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean negative log-likelihood of `batch["labels"]`, (B,), in nats per clip."""
        return F.cross_entropy(self(batch["video"]).float(), batch["labels"])


def sinusoids(x: Tensor) -> Tensor:
    """Fixed positions of a sequence like x (Vaswani et al. 2017, section 3.5), (T, D)."""
    length, dim = x.shape[1:]
    position = torch.arange(length, device=x.device)[:, None]  # (T, 1)
    pair = torch.arange(0, dim, 2, device=x.device)  # (D / 2,)
    angle = position * torch.exp(pair * (-math.log(10_000) / dim))  # (T, D / 2)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)[:, :dim].to(x.dtype)


def build_model(config: Config) -> VideoClassifier:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = VideoClassifier(config)
    if not model.head.weight.is_meta:
        model.init_weights(torch.Generator(model.head.weight.device).manual_seed(config.seed))
    return model
