"""A ConvNeXt that names what is in an image.

Shapes are written in letters:

    B  images in the batch           W  channels of a stage
    C  channels                      F  hidden channels of a block
    Y  rows, X  columns              V  classes
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of a map, (B, W, Y, X) -> the same."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Depthwise convolution, then a perceptron over channels, added to its input.

    Liu et al. 2022, figure 4; `scale` weighs what a block adds (Touvron et al. 2021, eq. 3).
    """

    def __init__(self, config: Config, width: int):
        super().__init__()
        kernel, hidden = config.kernel_size, config.mlp_ratio * width
        self.scale = nn.Parameter(torch.empty(width))
        self.conv = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width, config.norm_eps)
        self.up_proj = nn.Linear(width, hidden)
        self.down_proj = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).permute(0, 2, 3, 1)  # (B, W, Y, X) -> (B, Y, X, W)
        y = F.gelu(self.up_proj(self.norm(y)))  # (B, Y, X, F)
        y = self.scale * self.down_proj(y)  # (B, Y, X, W)
        return x + y.permute(0, 3, 1, 2)


class Downsample(nn.Module):
    """Half the resolution, and the channels of the next stage."""

    def __init__(self, config: Config, in_width: int, width: int):
        super().__init__()
        self.norm = ChannelNorm(in_width, config.norm_eps)
        self.conv = nn.Conv2d(in_width, width, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.norm(x))


class Stem(nn.Module):
    """Patches that do not overlap, as the channels of a map."""

    def __init__(self, config: Config):
        super().__init__()
        width, patch = config.hidden_sizes[0], config.patch_size
        self.conv = nn.Conv2d(config.channels, width, patch, stride=patch)
        self.norm = ChannelNorm(width, config.norm_eps)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.conv(images))


class ConvNext(nn.Module):
    """A stem, stages of blocks at halving resolution, and a head on the mean."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        widths = config.hidden_sizes
        self.stem = Stem(config)
        self.downsamples = nn.ModuleList(
            Downsample(config, *pair) for pair in zip(widths, widths[1:], strict=False)
        )
        self.stages = nn.ModuleList(
            nn.ModuleList(Block(config, width) for _ in range(depth))
            for width, depth in zip(widths, config.depths, strict=True)
        )
        self.norm = nn.LayerNorm(widths[-1], config.norm_eps)
        self.head = nn.Linear(widths[-1], config.num_classes)

    @property
    def blocks(self) -> list[nn.Module]:
        """Every block, in order."""
        return [block for stage in self.stages for block in stage]

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; the deeper the stack, the less a block adds at first."""
        if name.endswith("bias"):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        elif name.endswith("scale"):
            nn.init.constant_(weight, 1 / len(self.blocks))
        elif name == "head.weight":
            nn.init.normal_(weight, std=self.config.init_std, generator=generator)
        else:
            nn.init.normal_(weight, std=1 / math.sqrt(weight[0].numel()), generator=generator)

    def features(self, images: Tensor) -> Tensor:
        """One vector for each image, (B, C, Y, X) -> (B, W)."""
        x = self.stem(images)  # (B, C, Y, X) -> (B, W, Y / patch, X / patch)
        for i, stage in enumerate(self.stages):
            if i > 0:
                x = self.downsamples[i - 1](x)
            for block in stage:
                x = block(x)
        return self.norm(x.mean(dim=(2, 3)))  # (B, W, Y, X) -> (B, W)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the classes, (B, C, Y, X) -> (B, V)."""
        return self.head(self.features(images))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean negative log-likelihood of `batch["labels"]`, (B,), in nats per image."""
        return F.cross_entropy(self(batch["images"]).float(), batch["labels"])


def build_model(config: Config) -> ConvNext:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = ConvNext(config)
    if not model.head.weight.is_meta:
        model.init_weights(torch.Generator(model.head.weight.device).manual_seed(config.seed))
    return model
