"""The neural audio codec: convolutions over waveforms, a recurrent network, and codebooks.

The `length` of the codec, its encoder, quantiser and decoder is that of the waveform, in samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from .base import Flops, Part, Repeat
from .convnets import Numbered


class WeightNorm(Part):
    """Twin of `weight_norm`: the lengths of filters and their directions (Salimans, 2016)."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = Part()
        self.weight.parameter("original0", shape[0], *(1 for _ in shape[1:]))
        self.weight.parameter("original1", *shape)


class WaveConv(Part):
    """A convolution that leaves one position of `stride`, or makes `stride` positions of one."""

    def __init__(
        self,
        dims: Mapping[str, Any],
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        *,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        self.stride, self.transposed = stride, transposed
        ends = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.weights = prod((*ends, kernel))
        self.conv = Part()
        if dims["codec_norm"] == "weight_norm":
            self.conv.parameter("bias", out_channels)
            self.conv.parametrizations = WeightNorm(*ends, kernel)
        else:
            self.conv.parameter("weight", *ends, kernel)
            self.conv.parameter("bias", out_channels)
            self.norm = Part()
            self.norm.parameter("weight", out_channels)
            self.norm.parameter("bias", out_channels)

    def after(self, length: int) -> int:
        """Positions that leave where `length` arrive."""
        return length * self.stride if self.transposed else -(-length // self.stride)

    def flops(self, batch: int, length: int) -> Flops:
        """2 · weights at every position of the shorter side."""
        positions = length if self.transposed else self.after(length)
        return Flops(2 * batch * positions * self.weights)


class WaveBlock(Part):
    """Two convolutions around a narrower middle, beside a shortcut."""

    def __init__(self, dims: Mapping[str, Any], width: int) -> None:
        super().__init__()
        inner = width // dims["compress"]
        self.conv1 = WaveConv(dims, width, inner, dims["residual_kernel"])
        self.conv2 = WaveConv(dims, inner, width, 1)
        if dims["conv_shortcut"]:
            self.shortcut = WaveConv(dims, width, width, 1)


class Lstm(Part):
    """Twin of `nn.LSTM` with equal widths; its FLOPs are not counted by PyTorch."""

    def __init__(self, width: int, n_layers: int) -> None:
        super().__init__()
        self.width, self.n_layers = width, n_layers
        for i in range(n_layers):
            for name in ("weight_ih", "weight_hh"):
                self.parameter(f"{name}_l{i}", 4 * width, width)
            for name in ("bias_ih", "bias_hh"):
                self.parameter(f"{name}_l{i}", 4 * width)

    def flops(self, batch: int, length: int) -> Flops:
        """Two products with (4 · width, width) at every position of every layer."""
        return Flops(0, batch * length * self.n_layers * 16 * self.width**2)


class WaveLstm(Part):
    """A recurrent network beside the identity."""

    def __init__(self, width: int, n_layers: int) -> None:
        super().__init__()
        self.lstm = Lstm(width, n_layers)


class WaveLayers(Part):
    """Layers one after the other, each at the length that the one before it leaves."""

    layers: Numbered

    def stages(self, length: int) -> Iterator[tuple[Part, int]]:
        """Every layer and the positions that it reads, of `length` positions at first."""
        for layer in self.layers.children.values():
            yield layer, length
            length = layer.after(length) if isinstance(layer, WaveConv) else length

    def flops(self, batch: int, length: int) -> Flops:
        costs = (layer.flops(batch, at) for layer, at in self.stages(length))
        return sum(costs, Flops())


class Encoder(WaveLayers):
    """Waveforms to frames; nonlinearities take a number and have no tensors."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["num_filters"]
        layers: list[Part] = [WaveConv(dims, dims["audio_channels"], width, dims["kernel"])]
        for ratio in reversed(dims["ratios"]):
            layers += [WaveBlock(dims, width) for _ in range(dims["n_residual_layers"])]
            layers += [Part(), WaveConv(dims, width, 2 * width, 2 * ratio, ratio)]
            width *= 2
        layers += [WaveLstm(width, dims["n_lstm_layers"]), Part()]
        layers.append(WaveConv(dims, width, dims["codebook_dim"], dims["last_kernel"]))
        self.layers = Numbered(*layers)


class Decoder(WaveLayers):
    """Frames to waveforms."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.hop = prod(dims["ratios"])
        width = dims["num_filters"] * 2 ** len(dims["ratios"])
        layers: list[Part] = [WaveConv(dims, dims["codebook_dim"], width, dims["kernel"])]
        layers.append(WaveLstm(width, dims["n_lstm_layers"]))
        for ratio in dims["ratios"]:
            up = WaveConv(dims, width, width // 2, 2 * ratio, ratio, transposed=True)
            layers += [Part(), up]
            width //= 2
            layers += [WaveBlock(dims, width) for _ in range(dims["n_residual_layers"])]
        layers += [Part(), WaveConv(dims, width, dims["audio_channels"], dims["last_kernel"])]
        self.layers = Numbered(*layers)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, -(-length // self.hop))


class Codebook(Part):
    """Codes, and the moving averages that they are made of: buffers all of them."""

    def __init__(self, size: int, width: int, hop: int) -> None:
        super().__init__()
        self.hop = hop
        self.buffer("codes", size, width)
        self.buffer("sums", size, width)
        self.buffer("usage", size)

    def flops(self, batch: int, length: int) -> Flops:
        """The products of every frame with every code."""
        return Flops(2 * batch * -(-length // self.hop) * self.tensors["codes"].numel)


class ResidualQuantizer(Part):
    """Codebooks in a row."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        book = Codebook(dims["codebook_size"], dims["codebook_dim"], prod(dims["ratios"]))
        self.codebooks = Repeat(book, dims["n_codebooks"])


class Codec(Part):
    """EnCodec (Défossez et al., 2022), without the discriminators that judge it in training.

    Its FLOPs are those of a way to codes and back; `decoder` alone is the way back.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.encoder = Encoder(dims)
        self.quantizer = ResidualQuantizer(dims)
        self.decoder = Decoder(dims)
