"""Convolutions over maps, and what stands between them: normalisation, pooling, resizing."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from .base import Flops, Linear, Part

if TYPE_CHECKING:
    from ..arrays import Array

#: Height and width of a feature map.
Size = tuple[int, int]


class Conv2d(Part):
    """Twin of `nn.Conv2d` at a known input `size`; `out` is the size of what it returns."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        size: Size,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.out = tuple((s + 2 * padding - kernel) // stride + 1 for s in size)
        self.parameter("weight", out_channels, in_channels // groups, kernel, kernel)
        if bias:
            self.parameter("bias", out_channels)

    def flops(self, batch: int, length: int) -> Flops:
        """2 · positions · weights, at the convolution's own output size."""
        height, width = self.out
        return Flops(2 * batch * height * width * self.tensors["weight"].numel)

    def forward(self, x: Array) -> Array:
        """(B, C, height, width) -> (B, C', *out)."""
        return convolve(x, x.trace.matrix(self), self.out)


class GroupNorm(Part):
    """Twin of `nn.GroupNorm`: weight and bias over `width` channels, which form `groups`."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.parameter("weight", width)
        self.parameter("bias", width)

    def forward(self, x: Array) -> Array:
        """(B, width, ...) -> the same."""
        return x.trace.normalise(x, self.groups)


class BatchNorm2d(Part):
    """Twin of `nn.BatchNorm2d`; with `frozen` its weight and bias are buffers too."""

    def __init__(self, width: int, *, frozen: bool = False) -> None:
        super().__init__()
        self.frozen = frozen
        declare = self.buffer if frozen else self.parameter
        declare("weight", width)
        declare("bias", width)
        self.buffer("running_mean", width)
        self.buffer("running_var", width)
        if not frozen:
            self.buffer("num_batches_tracked")

    def forward(self, x: Array) -> Array:
        """(B, width, ...) -> the same; kept are the input and a mean and a deviation a channel.

        A frozen one keeps the factors by which it multiplies.
        """
        trace = x.trace
        if self.frozen:
            scale, shift = (trace.new((x.shape[1], 1, 1), x.dtype) for _ in range(2))
            return x * scale + shift
        out = trace.compute((x,), x.shape)
        if out.grad:
            trace.keep(x)
            trace.keep(trace.new((2, x.shape[1]), "fp32"))
        return out


def convolve(x: Array, weight: Array, size: Sequence[int], *, transposed: bool = False) -> Array:
    """A convolution in any number of dimensions, (B, C, ...) -> (B, C', *size).

    Its backward is one function of input and weight, both of which are kept.

    Args:
        x: the input, padded already where padding is an operation of its own.
        weight: of a part, as `Trace.matrix` gives it, or computed: (C', C / groups, ...), and where
            it is `transposed` (C, C', ...).
        size: that of the output, without batch and channels.
    """
    trace = x.trace
    x, weight = trace.lowered(x), trace.lowered(weight)
    channels, places = (weight.shape[1], x.shape[2:]) if transposed else (weight.shape[0], size)
    flops = 2 * x.shape[0] * prod(places) * weight.numel
    out = trace.compute((x, weight), (x.shape[0], channels, *size), x.dtype, flops)
    trace.ops[-1].weights = weight.nbytes
    if out.grad:
        trace.keep(x, factor=True)
        before = trace.saved
        trace.keep(weight, factor=True)
        trace.casts += trace.saved - before
    return out


def padded(x: Array, size: Sequence[int]) -> Array:
    """A copy with margins, (B, C, ...) -> (B, C, *size)."""
    return x.trace.compute((x,), (*x.shape[:2], *size))


def resized(x: Array, size: Sequence[int]) -> Array:
    """Interpolation, nearest or linear, (B, C, ...) -> (B, C, *size); nothing is kept."""
    x = x.trace.full("resize", x)
    return x.trace.compute((x,), (*x.shape[:2], *size))


def max_pooled(x: Array, size: Sequence[int]) -> Array:
    """The largest entries of windows, (B, C, ...) -> (B, C, *size), and where they stood."""
    trace = x.trace
    shape = (*x.shape[:2], *size)
    out, places = trace.compute((x,), shape), trace.new(shape, "int64")
    if out.grad:
        trace.keep(x)
        trace.keep(places)
    return out


def halved(size: Size) -> Size:
    """The size that a stride of two leaves, where margins keep the sides."""
    height, width = size
    return (height + 1) // 2, (width + 1) // 2


def at_places(linear: Linear, x: Array) -> Array:
    """A linear layer over rows of a larger or a transposed array, (B, N, C) -> (B, N, C').

    They do not follow one another in memory: whatever multiplies several samples copies them.
    """
    x = x.trace.lowered(x)
    return linear(x.copy() if x.shape[0] > 1 else x)
