"""Convolutions over pictures, and the batch normalisation that follows them."""

from __future__ import annotations

from .base import Flops, Part

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


class BatchNorm2d(Part):
    """Twin of `nn.BatchNorm2d`; with `frozen` its weight and bias are buffers too."""

    def __init__(self, width: int, *, frozen: bool = False) -> None:
        super().__init__()
        declare = self.buffer if frozen else self.parameter
        declare("weight", width)
        declare("bias", width)
        self.buffer("running_mean", width)
        self.buffer("running_var", width)
        if not frozen:
            self.buffer("num_batches_tracked")
