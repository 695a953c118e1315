"""SegFormer (Xie et al., 2021): a mix transformer and a decoder of linear layers."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from .base import Flops, Linear, Part, Repeat
from .convolution import BatchNorm2d, Conv2d, Size
from .norms import Norm


class PatchEmbed(Part):
    """Overlapping patches: a strided convolution and a LayerNorm."""

    def __init__(self, channels: int, width: int, patch: int, stride: int, size: Size) -> None:
        super().__init__()
        self.proj = Conv2d(channels, width, patch, size, stride=stride, padding=patch // 2)
        self.norm = Norm(width, "layernorm", True)
        self.out = self.proj.out


class Reduction(Part):
    """Fewer keys and values: a convolution whose stride is its kernel, and a LayerNorm."""

    def __init__(self, width: int, ratio: int, size: Size) -> None:
        super().__init__()
        self.conv = Conv2d(width, width, ratio, size, stride=ratio)
        self.norm = Norm(width, "layernorm", True)


class ReducedAttention(Part):
    """Self-attention of every position to keys and values at `1 / ratio` of the resolution."""

    def __init__(self, width: int, ratio: int, size: Size) -> None:
        super().__init__()
        self.width, self.positions = width, prod(size)
        self.q_proj = Linear(width, width, True)
        self.k_proj = Linear(width, width, True)
        self.v_proj = Linear(width, width, True)
        self.o_proj = Linear(width, width, True)
        self.keys = self.positions
        if ratio > 1:
            self.reduction = Reduction(width, ratio, size)
            self.keys = prod(self.reduction.conv.out)

    def flops(self, batch: int, length: int) -> Flops:
        """Projections and reduction, plus 4 · width for each (query, key)."""
        outer = sum((p.flops(batch, self.positions) for p in (self.q_proj, self.o_proj)), Flops())
        inner = sum((p.flops(batch, self.keys) for p in (self.k_proj, self.v_proj)), Flops())
        if "reduction" in self.children:
            inner += self.reduction.flops(batch, self.keys)
        return outer + inner + Flops(4 * batch * self.width * self.positions * self.keys)


class MixMLP(Part):
    """A two-layer perceptron with a depthwise 3x3 convolution between, which tells positions."""

    def __init__(self, width: int, hidden: int, size: Size) -> None:
        super().__init__()
        self.up_proj = Linear(width, hidden, True)
        self.conv = Conv2d(hidden, hidden, 3, size, padding=1, groups=hidden)
        self.down_proj = Linear(hidden, width, True)


class MixBlock(Part):
    """One layer of a stage."""

    def __init__(self, width: int, ratio: int, mlp_ratio: int, size: Size) -> None:
        super().__init__()
        self.attn_norm = Norm(width, "layernorm", True)
        self.attn = ReducedAttention(width, ratio, size)
        self.mlp_norm = Norm(width, "layernorm", True)
        self.mlp = MixMLP(width, width * mlp_ratio, size)
        self.positions = prod(size)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)


class Stage(Part):
    """Patches of the previous stage's feature map, `depth` blocks and a LayerNorm."""

    def __init__(self, dims: Mapping[str, Any], index: int, channels: int, size: Size) -> None:
        super().__init__()
        width = dims["hidden_sizes"][index]
        patch, stride = dims["patch_sizes"][index], dims["strides"][index]
        self.patch_embed = PatchEmbed(channels, width, patch, stride, size)
        self.out = self.patch_embed.out
        ratios = dims["sr_ratios"][index], dims["mlp_ratios"][index]
        self.blocks = Repeat(MixBlock(width, *ratios, self.out), dims["depths"][index])
        self.norm = Norm(width, "layernorm", True)


class Stages(Part):
    """The stages, each at a lower resolution than the one before."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        channels, size = dims["channels"], (dims["image_size"], dims["image_size"])
        self.sizes: list[Size] = []
        for index, width in enumerate(dims["hidden_sizes"]):
            stage = Stage(dims, index, channels, size)
            setattr(self, str(index), stage)
            channels, size = width, stage.out
            self.sizes.append(size)


class Decoder(Part):
    """One linear layer for each stage, a 1x1 convolution over all of them, BatchNorm, scores."""

    def __init__(self, dims: Mapping[str, Any], sizes: list[Size]) -> None:
        super().__init__()
        width = dims["decoder_dim"]
        self.sizes = sizes
        self.projections = Projections(dims["hidden_sizes"], width, sizes)
        self.fuse = Conv2d(width * len(sizes), width, 1, sizes[0], bias=False)
        self.norm = BatchNorm2d(width)
        self.head = Conv2d(width, dims["num_classes"], 1, sizes[0])


class Projections(Part):
    """The decoder's linear layers, each over the positions of its stage."""

    def __init__(self, widths: list[int], width: int, sizes: list[Size]) -> None:
        super().__init__()
        self.sizes = sizes
        for index, stage_width in enumerate(widths):
            setattr(self, str(index), Linear(stage_width, width, True))

    def flops(self, batch: int, length: int) -> Flops:
        pairs = zip(self.children.values(), self.sizes, strict=True)
        return sum((linear.flops(batch, prod(size)) for linear, size in pairs), Flops())


class SegFormer(Part):
    """Stages and decoder; scores stand at the resolution of the first stage."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.stages = Stages(dims)
        self.decoder = Decoder(dims, self.stages.sizes)
