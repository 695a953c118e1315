"""Convolutional image classifiers: residual networks and ConvNeXt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from .base import Flops, Linear, Part, Tensor
from .convolution import BatchNorm2d, Conv2d, Size
from .norms import Norm
from .vision import Head


class Stage(Part):
    """`n` blocks of which the first differs, as `nn.ModuleList` holds them; costs O(1) in `n`."""

    def __init__(self, first: Part, other: Part, n: int) -> None:
        super().__init__()
        self.n = n
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "other", other)

    def _walk(self) -> Iterator[tuple[str, Tensor]]:
        for i in range(self.n):
            for name, tensor in (self.other if i else self.first).named_tensors():
                yield f"{i}.{name}", tensor

    def count(self, *, quantizable_only: bool = False) -> int:
        counts = [b.count(quantizable_only=quantizable_only) for b in (self.first, self.other)]
        return counts[0] + (self.n - 1) * counts[1]

    def at(self, path: str) -> Tensor:
        index, _, rest = path.partition(".")
        return (self.other if int(index) else self.first).at(rest)

    def flops(self, batch: int, length: int) -> Flops:
        first, other = (b.flops(batch, length) for b in (self.first, self.other))
        return first + other * (self.n - 1)


class Numbered(Part):
    """Parts under the names 0, 1, 2, ..., as `nn.ModuleList` and `nn.Sequential` hold them."""

    def __init__(self, *parts: Part) -> None:
        super().__init__()
        for i, part in enumerate(parts):
            setattr(self, str(i), part)


class ConvNorm(Part):
    """A convolution that keeps the sides (over its stride) and its batch normalisation."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, size: Size, stride: int = 1
    ) -> None:
        super().__init__()
        padding = kernel // 2
        self.conv = Conv2d(
            in_channels, out_channels, kernel, size, stride=stride, padding=padding, bias=False
        )
        self.norm = BatchNorm2d(out_channels)
        self.out = self.conv.out


class ResidualBlock(Part):
    """Two 3x3 convolutions, or 1x1, 3x3, 1x1 around a narrower middle (He et al., 2016, fig. 5).

    The shortcut is a strided 1x1 convolution where width or size change. The 3x3 convolution of a
    bottleneck has the stride (Goyal et al., 2017, footnote 3).
    """

    def __init__(
        self, in_width: int, width: int, size: Size, stride: int, inner: int | None
    ) -> None:
        super().__init__()
        if inner is None:
            self.conv1 = ConvNorm(in_width, width, 3, size, stride)
            self.conv2 = ConvNorm(width, width, 3, self.conv1.out)
            self.out = self.conv1.out
        else:
            self.conv1 = ConvNorm(in_width, inner, 1, size)
            self.conv2 = ConvNorm(inner, inner, 3, size, stride)
            self.conv3 = ConvNorm(inner, width, 1, self.conv2.out)
            self.out = self.conv2.out
        if stride > 1 or in_width != width:
            self.shortcut = ConvNorm(in_width, width, 1, size, stride)


class ResNet(Part):
    """A 7x7 stem, four stages of residual blocks, the mean over positions, and a head."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        side = dims["image_size"]
        self.stem = ConvNorm(dims["channels"], dims["stem_dim"], 7, (side, side), 2)
        stages = [residual_stage(dims, i) for i in range(len(dims["depths"]))]
        self.stages = Numbered(*stages)
        self.head = Head(dims["hidden_sizes"][-1], dims["num_classes"])


def residual_stage(dims: Mapping[str, Any], index: int) -> Stage:
    """Stage `index` of a residual network, on the map that the ones before it leave."""
    widths = (dims["stem_dim"], *dims["hidden_sizes"])
    stride = 2 if index else 1
    side = dims["image_size"]
    for _ in range(1 + max(1, index)):  # the stem, its pooling, and the stages in between
        side = (side + 1) // 2
    width = widths[index + 1]
    inner = width // dims["reduction"] if dims["block"] == "bottleneck" else None
    first = ResidualBlock(widths[index], width, (side, side), stride, inner)
    return Stage(first, ResidualBlock(width, width, first.out, 1, inner), dims["depths"][index])


class ConvNextBlock(Part):
    """Depthwise 7x7 convolution, norm, and an MLP over channels (Liu et al., 2022, fig. 4)."""

    def __init__(self, width: int, kernel: int, ratio: int, size: Size) -> None:
        super().__init__()
        self.positions = prod(size)
        self.parameter("scale", width)
        self.conv = Conv2d(width, width, kernel, size, padding=kernel // 2, groups=width)
        self.norm = Norm(width, "layernorm", True)
        self.up_proj = Linear(width, ratio * width, True)
        self.down_proj = Linear(ratio * width, width, True)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)


class Downsample(Part):
    """A LayerNorm and a convolution as wide as its stride."""

    def __init__(self, in_width: int, width: int, size: Size) -> None:
        super().__init__()
        self.norm = Norm(in_width, "layernorm", True)
        self.conv = Conv2d(in_width, width, 2, size, stride=2)
        self.out = self.conv.out


class PatchStem(Part):
    """Patches that do not overlap, and a LayerNorm."""

    def __init__(self, channels: int, width: int, patch: int, size: Size) -> None:
        super().__init__()
        self.conv = Conv2d(channels, width, patch, size, stride=patch)
        self.norm = Norm(width, "layernorm", True)
        self.out = self.conv.out


class ConvNext(Part):
    """A stem of patches, four stages with downsampling between them, a norm and a head."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        widths, side = dims["hidden_sizes"], dims["image_size"]
        self.stem = PatchStem(dims["channels"], widths[0], dims["patch_size"], (side, side))
        sizes, downsamples = [self.stem.out], []
        for in_width, width in zip(widths, widths[1:], strict=False):
            downsamples.append(Downsample(in_width, width, sizes[-1]))
            sizes.append(downsamples[-1].out)
        self.downsamples = Numbered(*downsamples)
        blocks = [
            convnext_block(dims, width, size) for width, size in zip(widths, sizes, strict=True)
        ]
        self.stages = Numbered(
            *(Stage(b, b, depth) for b, depth in zip(blocks, dims["depths"], strict=True))
        )
        self.norm = Norm(widths[-1], "layernorm", True)
        self.head = Head(widths[-1], dims["num_classes"])


def convnext_block(dims: Mapping[str, Any], width: int, size: Size = (1, 1)) -> ConvNextBlock:
    """A block of a stage that is `width` wide."""
    return ConvNextBlock(width, dims["kernel_size"], dims["mlp_ratio"], size)
