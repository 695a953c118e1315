"""The convolutional backbone of a detector."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config


class FrozenNorm(nn.Module):
    """BatchNorm2d whose statistics, weight and bias are buffers: given, never learned."""

    def __init__(self, width: int, eps: float = 1e-5):
        super().__init__()
        self.register_buffer("weight", torch.ones(width))
        self.register_buffer("bias", torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + self.eps).rsqrt()  # (D,)
        shift = self.bias - self.running_mean * scale
        return x * scale.to(x.dtype)[:, None, None] + shift.to(x.dtype)[:, None, None]


class Bottleneck(nn.Module):
    """A residual layer of three convolutions, the middle one a quarter as wide (He et al. 2016)."""

    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        narrow = width // 4
        self.conv1 = nn.Conv2d(before, narrow, 1, bias=False)
        self.norm1 = FrozenNorm(narrow)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride, padding=1, bias=False)
        self.norm2 = FrozenNorm(narrow)
        self.conv3 = nn.Conv2d(narrow, width, 1, bias=False)
        self.norm3 = FrozenNorm(width)
        self.shortcut = None
        if before != width or stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, width, 1, stride, bias=False), FrozenNorm(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        kept = x if self.shortcut is None else self.shortcut(x)  # (B, D, Y, X)
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        return F.relu(self.norm3(self.conv3(x)) + kept)


class Backbone(nn.Module):
    """A residual network in stages; every stage but the first halves the resolution."""

    def __init__(self, config: Config):
        super().__init__()
        self.stem = nn.Conv2d(config.channels, config.stem_dim, 7, 2, padding=3, bias=False)
        self.stem_norm = FrozenNorm(config.stem_dim)
        self.stages = nn.ModuleList()
        before = config.stem_dim
        for i, (width, depth) in enumerate(zip(config.hidden_sizes, config.depths, strict=True)):
            layers = [Bottleneck(before, width, 2 if i else 1)]
            layers += [Bottleneck(width, width, 1) for _ in range(depth - 1)]
            self.stages.append(nn.Sequential(*layers))
            before = width

    def forward(self, images: Tensor) -> list[Tensor]:
        """The feature map of every stage, (B, C, side, side) -> (B, D, Y, X) each."""
        x = F.relu(self.stem_norm(self.stem(images)))
        x = F.max_pool2d(x, 3, 2, padding=1)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features
