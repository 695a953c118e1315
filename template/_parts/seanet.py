"""Convolutions over waveforms, down to frames and up again (SEANet, Tagliasacchi et al. 2020)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from .config import Config


class WaveConv(nn.Module):
    """A convolution that leaves one position for each `stride` positions."""

    def __init__(
        self,
        config: Config,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
    ):
        super().__init__()
        self.config = config
        conv = nn.Conv1d(in_channels, out_channels, kernel, stride, dilation=dilation)
        if config.codec_norm == "weight_norm":
            self.conv = weight_norm(conv)
        else:
            self.conv = conv
            self.norm = nn.GroupNorm(1, out_channels)
        self.stride, self.overlap = stride, (kernel - 1) * dilation + 1 - stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, N) -> (B, D', ceil(N / stride))."""
        if self.config.causal_conv:
            right = 0  # nothing is heard before it sounds
        else:
            right = self.overlap // 2
        missing = -x.size(-1) % self.stride
        x = self.conv(pad(x, self.overlap - right, right + missing, self.config))
        if self.config.codec_norm == "time_group_norm":
            x = self.norm(x)
        return x


class WaveUpConv(nn.Module):
    """A transposed convolution that makes `stride` positions of each."""

    def __init__(self, config: Config, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.config = config
        conv = nn.ConvTranspose1d(in_channels, out_channels, 2 * stride, stride)
        if config.codec_norm == "weight_norm":
            self.conv = weight_norm(conv)
        else:
            self.conv = conv
            self.norm = nn.GroupNorm(1, out_channels)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, N) -> (B, D', N * stride)."""
        length = x.size(-1) * self.stride
        x = self.conv(x)
        if self.config.codec_norm == "time_group_norm":
            x = self.norm(x)
        if self.config.causal_conv:
            left = 0
        else:
            left = (self.stride + 1) // 2
        return x[..., left : left + length]


def pad(x: Tensor, left: int, right: int, config: Config) -> Tensor:
    """Positions before and after those of (B, D, N)."""
    if config.pad_mode != "reflect":
        return F.pad(x, (left, right))
    short = max(0, max(left, right) + 1 - x.size(-1))  # a mirror shows no more than there is
    x = F.pad(F.pad(x, (0, short)), (left, right), mode="reflect")
    return x[..., : x.size(-1) - short]


class WaveBlock(nn.Module):
    """A dilated convolution to a narrower middle and back, beside a shortcut."""

    def __init__(self, config: Config, width: int, dilation: int):
        super().__init__()
        self.config = config
        inner = width // config.compress
        self.conv1 = WaveConv(config, width, inner, config.residual_kernel, dilation=dilation)
        self.conv2 = WaveConv(config, inner, width, 1)
        if config.conv_shortcut:
            self.shortcut = WaveConv(config, width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, N) -> (B, D, N)."""
        y = self.conv2(F.elu(self.conv1(F.elu(x))))
        if self.config.conv_shortcut:
            return self.shortcut(x) + y
        return x + y


class WaveLstm(nn.Module):
    """A recurrent network over positions, beside the identity."""

    def __init__(self, width: int, n_layers: int):
        super().__init__()
        self.lstm = nn.LSTM(width, width, n_layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, N) -> (B, D, N)."""
        return x + self.lstm(x.transpose(1, 2))[0].transpose(1, 2)


class Encoder(nn.Module):
    """Waveforms to frames: width doubles wherever a ratio divides the length."""

    def __init__(self, config: Config):
        super().__init__()
        width = config.num_filters
        layers: list[nn.Module] = [WaveConv(config, config.audio_channels, width, config.kernel)]
        for ratio in reversed(config.ratios):
            for i in range(config.n_residual_layers):
                layers.append(WaveBlock(config, width, config.dilation_growth**i))
            layers += [nn.ELU(), WaveConv(config, width, 2 * width, 2 * ratio, ratio)]
            width *= 2
        layers += [WaveLstm(width, config.n_lstm_layers), nn.ELU()]
        layers.append(WaveConv(config, width, config.codebook_dim, config.last_kernel))
        self.layers = nn.ModuleList(layers)

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, C, N) -> (B, W, T)."""
        x = waveform
        for layer in self.layers:
            x = layer(x)
        return x


class Decoder(nn.Module):
    """Frames to waveforms: the encoder's mirror image."""

    def __init__(self, config: Config):
        super().__init__()
        width = config.num_filters * 2 ** len(config.ratios)
        layers: list[nn.Module] = [WaveConv(config, config.codebook_dim, width, config.kernel)]
        layers.append(WaveLstm(width, config.n_lstm_layers))
        for ratio in config.ratios:
            layers += [nn.ELU(), WaveUpConv(config, width, width // 2, ratio)]
            width //= 2
            for i in range(config.n_residual_layers):
                layers.append(WaveBlock(config, width, config.dilation_growth**i))
        layers += [nn.ELU(), WaveConv(config, width, config.audio_channels, config.last_kernel)]
        self.layers = nn.ModuleList(layers)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, W, T) -> (B, C, T * hop)."""
        x = frames
        for layer in self.layers:
            x = layer(x)
        return x


def init_wave_weight(
    network: nn.Module, name: str, weight: Tensor, generator: torch.Generator
) -> None:
    """Fill a network's weight called `name`; layers keep the variance of what they read.

    Every output of a transposed convolution sums two windows, whatever its stride.
    """
    if "bias" in name:
        nn.init.zeros_(weight)
    elif name.endswith("original0"):  # lengths of filters
        conv = network.get_submodule(name.partition(".parametrizations")[0])
        transposed = isinstance(conv, nn.ConvTranspose1d)
        nn.init.constant_(weight, math.sqrt(conv.stride[0] / 2) if transposed else 1.0)
    elif name.endswith("norm.weight"):
        nn.init.ones_(weight)
    else:
        nn.init.normal_(weight, std=weight[0].numel() ** -0.5, generator=generator)
