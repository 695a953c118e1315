"""From what an agent observes to features."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config


class StateEncoder(nn.Module):
    """Fully connected layers over a vector of numbers."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        widths = [config.state_dim] + [config.hidden_size] * config.n_layers
        self.blocks = nn.ModuleList(nn.Linear(wide, out) for wide, out in pairwise(widths))

    def forward(self, states: Tensor) -> Tensor:
        x = states.to(self.blocks[0].weight.dtype)  # (B, S)
        for layer in self.blocks:
            if self.config.activation == "tanh":
                x = torch.tanh(layer(x))  # (B, S|H) -> (B, H)
            else:
                x = F.relu(layer(x))  # (B, S|H) -> (B, H)
        return x


class ImageEncoder(nn.Module):
    """Three convolutions and a fully connected layer (Mnih et al. 2015) over the last frames."""

    def __init__(self, config: Config):
        super().__init__()
        channels = [config.frames * config.channels, *config.conv_channels]
        side = config.image_size
        self.blocks = nn.ModuleList()
        for (wide, out), kernel, stride in zip(
            pairwise(channels), config.conv_kernels, config.conv_strides, strict=True
        ):
            self.blocks.append(nn.Conv2d(wide, out, kernel, stride))
            side = (side - kernel) // stride + 1
        self.dense = nn.Linear(channels[-1] * side**2, config.hidden_size)

    def forward(self, pixels: Tensor) -> Tensor:
        x = pixels.to(self.dense.weight.dtype) / 255  # (B, C, Y, X), bytes
        for layer in self.blocks:
            x = F.relu(layer(x))
        return F.relu(self.dense(x.flatten(1)))  # (B, C, Y, X) -> (B, H)


def fan_in_std(weight: Tensor, gain: float) -> float:
    """The standard deviation that keeps the variance of what a layer is given, times gain²."""
    return gain / (weight.numel() // weight.size(0)) ** 0.5
