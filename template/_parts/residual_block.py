"""Residual convolutions."""

import torch.nn.functional as F
from torch import Tensor, nn


class ConvNorm(nn.Module):
    """A convolution that keeps the sides, over its stride, and its batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False
        )
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016, figure 5 left)."""

    def __init__(self, in_width: int, width: int, stride: int):
        super().__init__()
        self.conv1 = ConvNorm(in_width, width, 3, stride)
        self.conv2 = ConvNorm(width, width, 3)
        if stride > 1 or in_width != width:
            self.shortcut = ConvNorm(in_width, width, 1, stride)
        else:
            self.shortcut = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv1(x))  # (B, C, Y, X) -> (B, W, Y / stride, X / stride)
        return F.relu(self.conv2(y) + self.shortcut(x))


class Bottleneck(nn.Module):
    """A 3x3 convolution between 1x1 ones, beside a shortcut (He et al. 2016, figure 5 right)."""

    def __init__(self, in_width: int, width: int, inner: int, stride: int):
        super().__init__()
        self.conv1 = ConvNorm(in_width, inner, 1)
        self.conv2 = ConvNorm(inner, inner, 3, stride)
        self.conv3 = ConvNorm(inner, width, 1)
        if stride > 1 or in_width != width:
            self.shortcut = ConvNorm(in_width, width, 1, stride)
        else:
            self.shortcut = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv1(x))  # (B, C, Y, X) -> (B, I, Y, X)
        y = F.relu(self.conv2(y))  # (B, I, Y, X) -> (B, I, Y / stride, X / stride)
        return F.relu(self.conv3(y) + self.shortcut(x))  # (B, W, Y / stride, X / stride)
