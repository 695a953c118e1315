"""Convolutional image classifiers: residual networks and ConvNeXt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from .base import Flops, Linear, Numbered, Part, Tensor
from .convolution import BatchNorm2d, Conv2d, Size, halved, max_pooled
from .norms import Norm
from .vision import Head

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class Stage(Part):
    """`n` blocks of which the first differs, as `nn.ModuleList` holds them; costs O(1) in `n`."""

    def __init__(self, first: Part, other: Part, n: int) -> None:
        super().__init__()
        self.n, self.first, self.other = n, first, other
        self._children = {}  # the copies are counted, not listed

    def _walk(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        for i in range(self.n):
            yield from (self.other if i else self.first).named_tensors(f"{prefix}{i}.")

    def count(self, *, quantizable_only: bool = False) -> int:
        counts = [b.count(quantizable_only=quantizable_only) for b in (self.first, self.other)]
        return counts[0] + (self.n - 1) * counts[1]

    def at(self, path: str) -> Tensor:
        index, _, rest = path.partition(".")
        return (self.other if int(index) else self.first).at(rest)

    def flops(self, batch: int, length: int) -> Flops:
        first, other = (b.flops(batch, length) for b in (self.first, self.other))
        return first + other * (self.n - 1)

    def each(self, trace: Trace, *, wrapped: bool = False) -> Iterator[Callable[[Array], Array]]:
        """The blocks one by one; `wrapped` ones are checkpointed where the trace says so."""
        for block, n in ((self.first, 1), (self.other, self.n - 1)):
            run = partial(trace.checkpointed, block) if wrapped else block
            for _ in trace.rounds(n):
                yield run


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

    def forward(self, x: Array) -> Array:
        """(B, in_width, ...) -> (B, width, ...)."""
        y = self.conv1(x).apply("relu")
        last = self.conv2
        if "conv3" in self.children:
            y, last = self.conv2(y).apply("relu"), self.conv3
        shortcut = self.children.get("shortcut", unchanged)
        return (last(y) + shortcut(x)).apply("relu")


class ImageClassifier(Part, ABC):
    """Pictures of `channels` and `side` named by their features; heirs say which."""

    head: Part

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.channels, self.side = dims["channels"], dims["image_size"]

    @abstractmethod
    def features(self, images: Array) -> Array:
        """(B, C, side, side) -> (B, W)."""

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` pictures."""
        images = trace.given(batch, self.channels, self.side, self.side)
        self.head(self.features(images)).float().cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Scores of `batch` pictures, which are there first."""
        images = trace.new((batch, self.channels, self.side, self.side))
        self.head(self.features(images))


class ResNet(ImageClassifier):
    """A 7x7 stem, four stages of residual blocks, the mean over positions, and a head."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(dims)
        side = dims["image_size"]
        self.stem = ConvNorm(dims["channels"], dims["stem_dim"], 7, (side, side), 2)
        stages = [residual_stage(dims, i) for i in range(len(dims["depths"]))]
        self.stages = Numbered(*stages)
        self.head = Head(dims["hidden_sizes"][-1], dims["num_classes"])

    def features(self, images: Array) -> Array:
        """(B, C, side, side) -> (B, W)."""
        x = self.stem(images).apply("relu")
        x = max_pooled(x, halved(self.stem.out))
        for stage in self.stages.children.values():
            for block in stage.each(x.trace, wrapped=True):
                x = block(x)
        return x.mean(2, 3)


def residual_stage(dims: Mapping[str, Any], index: int) -> Stage:
    """Stage `index` of a residual network, on the map that the ones before it leave."""
    widths = (dims["stem_dim"], *dims["hidden_sizes"])
    stride = 2 if index else 1
    side = dims["image_size"]
    size = (side, side)
    for _ in range(1 + max(1, index)):  # the stem, its pooling, and the stages in between
        size = halved(size)
    width = widths[index + 1]
    inner = width // dims["reduction"] if dims["block"] == "bottleneck" else None
    first = ResidualBlock(widths[index], width, size, stride, inner)
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

    def forward(self, x: Array) -> Array:
        """(B, width, Y, X) -> the same; what is added has its channels last."""
        y = self.conv(x).permute(0, 2, 3, 1)
        y = self.up_proj(self.norm(y)).apply("gelu")
        y = x.trace.weight(self, "scale") * self.down_proj(y)
        return x + y.permute(0, 3, 1, 2)


class ChannelNorm(Norm):
    """A LayerNorm with a bias over the channels of a map."""

    def __init__(self, width: int) -> None:
        super().__init__(width, "layernorm", True)

    def forward(self, x: Array) -> Array:
        """(B, width, Y, X) -> the same."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Downsample(Part):
    """A LayerNorm and a convolution as wide as its stride."""

    def __init__(self, in_width: int, width: int, size: Size) -> None:
        super().__init__()
        self.norm = ChannelNorm(in_width)
        self.conv = Conv2d(in_width, width, 2, size, stride=2)
        self.out = self.conv.out


class PatchStem(Part):
    """Patches that do not overlap, and a LayerNorm."""

    def __init__(self, channels: int, width: int, patch: int, size: Size) -> None:
        super().__init__()
        self.conv = Conv2d(channels, width, patch, size, stride=patch)
        self.norm = ChannelNorm(width)
        self.out = self.conv.out


class ConvNext(ImageClassifier):
    """A stem of patches, four stages with downsampling between them, a norm and a head."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(dims)
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

    def features(self, images: Array) -> Array:
        """(B, C, side, side) -> (B, W)."""
        x = self.stem(images)
        for i, stage in enumerate(self.stages.children.values()):
            if i:
                x = self.downsamples.children[str(i - 1)](x)
            for block in stage.each(x.trace, wrapped=True):
                x = block(x)
        return self.norm(x.mean(2, 3))


def convnext_block(dims: Mapping[str, Any], width: int, size: Size = (1, 1)) -> ConvNextBlock:
    """A block of a stage that is `width` wide."""
    return ConvNextBlock(width, dims["kernel_size"], dims["mlp_ratio"], size)


def unchanged(x: Array) -> Array:
    """The shortcut of a block that keeps width and resolution."""
    return x
