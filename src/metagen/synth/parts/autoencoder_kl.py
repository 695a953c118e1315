"""The KL-regularised autoencoder of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from .base import Flops, Linear, Part
from .convnets import Numbered
from .convolution import Conv2d, Size


class GroupNorm(Part):
    """Twin of `nn.GroupNorm`: weight and bias over `width` channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.parameter("weight", width)
        self.parameter("bias", width)


class ConvBlock(Part):
    """Two normalised 3x3 convolutions beside a shortcut, which is 1x1 where the width changes."""

    def __init__(self, in_width: int, width: int, size: Size) -> None:
        super().__init__()
        self.norm1 = GroupNorm(in_width)
        self.conv1 = Conv2d(in_width, width, 3, size, padding=1)
        self.norm2 = GroupNorm(width)
        self.conv2 = Conv2d(width, width, 3, size, padding=1)
        if in_width != width:
            self.shortcut = Conv2d(in_width, width, 1, size)


class PlaceAttention(Part):
    """Attention with one head between all places of a feature map."""

    def __init__(self, width: int, size: Size) -> None:
        super().__init__()
        self.width, self.places = width, prod(size)
        self.norm = GroupNorm(width)
        self.q_proj = Linear(width, width, True)
        self.k_proj = Linear(width, width, True)
        self.v_proj = Linear(width, width, True)
        self.o_proj = Linear(width, width, True)

    def flops(self, batch: int, length: int) -> Flops:
        """Projections, scores and weighted sum: 4 · width for each pair of places."""
        pairs = Flops(4 * batch * self.width * self.places**2)
        return super().flops(batch, self.places) + pairs


class Middle(Part):
    """What stands at the lowest resolution."""

    def __init__(self, width: int, size: Size, attention: bool) -> None:
        super().__init__()
        self.first = ConvBlock(width, width, size)
        if attention:
            self.attn = PlaceAttention(width, size)
        self.second = ConvBlock(width, width, size)


class Resample(Part):
    """A 3x3 convolution at the size that it makes: half or twice the one that it is given."""

    def __init__(self, width: int, made: Size) -> None:
        super().__init__()
        self.conv = Conv2d(width, width, 3, made, padding=1)


class Encoder(Part):
    """Pictures to the moments of their codes."""

    def __init__(self, dims: Mapping[str, Any], size: Size) -> None:
        super().__init__()
        widths = tuple(dims["ae_channels"])
        self.conv_in = Conv2d(dims["channels"], widths[0], 3, size, padding=1)
        stages: list[Part] = []
        for i, width in enumerate(widths):
            if i:
                size = halved(size)
                stages.append(Resample(widths[i - 1], size))
            stages += _blocks(widths[max(0, i - 1)], width, dims["ae_layers_per_block"], size)
        self.stages = Numbered(*stages)
        self.middle = Middle(widths[-1], size, dims["ae_mid_attention"])
        self.norm = GroupNorm(widths[-1])
        self.conv_out = Conv2d(widths[-1], 2 * dims["latent_channels"], 3, size, padding=1)
        self.out = size


class Decoder(Part):
    """Codes to pictures."""

    def __init__(self, dims: Mapping[str, Any], size: Size) -> None:
        super().__init__()
        widths = tuple(dims["ae_channels"])[::-1]
        self.conv_in = Conv2d(dims["latent_channels"], widths[0], 3, size, padding=1)
        self.middle = Middle(widths[0], size, dims["ae_mid_attention"])
        stages: list[Part] = []
        for i, width in enumerate(widths):
            if i:
                size = size[0] * 2, size[1] * 2
                stages.append(Resample(widths[i - 1], size))
            stages += _blocks(widths[max(0, i - 1)], width, dims["ae_layers_per_block"] + 1, size)
        self.stages = Numbered(*stages)
        self.norm = GroupNorm(widths[-1])
        self.conv_out = Conv2d(widths[-1], dims["channels"], 3, size, padding=1)


class Autoencoder(Part):
    """Encoder, decoder, and 1x1 convolutions of codes; `flops` encodes and decodes.

    Pictures are `size` (height, width), by default squares of `image_size`.
    """

    def __init__(self, dims: Mapping[str, Any], size: Size | None = None) -> None:
        super().__init__()
        codes = dims["latent_channels"]
        self.encoder = Encoder(dims, size or (dims["image_size"], dims["image_size"]))
        self.decoder = Decoder(dims, self.encoder.out)
        if dims["ae_quant_conv"]:
            self.quant_conv = Conv2d(2 * codes, 2 * codes, 1, self.encoder.out)
        if dims["ae_post_quant_conv"]:
            self.post_quant_conv = Conv2d(codes, codes, 1, self.encoder.out)

    def encode_flops(self, batch: int) -> Flops:
        """FLOPs of `encode`."""
        return _sum(self, ("encoder", "quant_conv"), batch)

    def decode_flops(self, batch: int) -> Flops:
        """FLOPs of `decode`."""
        return _sum(self, ("post_quant_conv", "decoder"), batch)


def halved(size: Size) -> Size:
    """What a stride of 2 with one row and column of padding leaves."""
    return size[0] // 2, size[1] // 2


def _blocks(in_width: int, width: int, n: int, size: Size) -> list[Part]:
    """`n` blocks of a stage, of which the first may change the width."""
    return [ConvBlock(in_width if j == 0 else width, width, size) for j in range(n)]


def _sum(part: Part, names: tuple[str, ...], batch: int) -> Flops:
    found = (part.children[name] for name in names if name in part.children)
    return sum((child.flops(batch, 1) for child in found), Flops())
