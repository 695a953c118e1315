"""SegFormer (Xie et al., 2021): a mix transformer and a decoder of linear layers."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .base import Flops, Linear, Part, Repeat
from .convolution import BatchNorm2d, Conv2d, Size, resized
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class PatchEmbed(Part):
    """Overlapping patches: a strided convolution and a LayerNorm."""

    def __init__(self, channels: int, width: int, patch: int, stride: int, size: Size) -> None:
        super().__init__()
        self.proj = Conv2d(channels, width, patch, size, stride=stride, padding=patch // 2)
        self.norm = Norm(width, "layernorm", True)
        self.out = self.proj.out

    def forward(self, x: Array) -> Array:
        """(B, C, ...) -> (B, N, D)."""
        return self.norm(self.proj(x).permute(0, 2, 3, 1)).flatten(1, 2)


class Reduction(Part):
    """Fewer keys and values: a convolution whose stride is its kernel, and a LayerNorm."""

    def __init__(self, width: int, ratio: int, size: Size) -> None:
        super().__init__()
        self.size = size
        self.conv = Conv2d(width, width, ratio, size, stride=ratio)
        self.norm = Norm(width, "layernorm", True)

    def forward(self, x: Array) -> Array:
        """(B, N, D) -> (B, M, D)."""
        return self.norm(as_positions(self.conv(as_map(x, self.size))))


class ReducedAttention(Part):
    """Self-attention of every position to keys and values at `1 / ratio` of the resolution."""

    def __init__(self, width: int, n_heads: int, ratio: int, size: Size) -> None:
        super().__init__()
        self.width, self.n_heads, self.positions = width, n_heads, prod(size)
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

    def forward(self, x: Array) -> Array:
        """(B, N, width) -> the same."""
        kept = self.reduction(x) if "reduction" in self.children else x
        q, k, v = self.q_proj(x), self.k_proj(kept), self.v_proj(kept)
        q, k, v = (a.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for a in (q, k, v))
        return self.o_proj(x.trace.attend(q, k, v).transpose(1, 2).flatten(2))


class MixMLP(Part):
    """A two-layer perceptron with a depthwise 3x3 convolution between, which tells positions."""

    def __init__(self, width: int, hidden: int, size: Size) -> None:
        super().__init__()
        self.size = size
        self.up_proj = Linear(width, hidden, True)
        self.conv = Conv2d(hidden, hidden, 3, size, padding=1, groups=hidden)
        self.down_proj = Linear(hidden, width, True)

    def forward(self, x: Array) -> Array:
        """(B, N, width) -> the same."""
        hidden = as_map(self.up_proj(x), self.size)
        return self.down_proj(as_positions(self.conv(hidden).apply("gelu")))


class MixBlock(Part):
    """One layer of a stage."""

    def __init__(self, dims: Mapping[str, Any], index: int, size: Size) -> None:
        super().__init__()
        width = dims["hidden_sizes"][index]
        self.attn_norm = Norm(width, "layernorm", True)
        self.attn = ReducedAttention(
            width, dims["stage_heads"][index], dims["sr_ratios"][index], size
        )
        self.mlp_norm = Norm(width, "layernorm", True)
        self.mlp = MixMLP(width, width * dims["mlp_ratios"][index], size)
        self.positions = prod(size)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)

    def forward(self, x: Array) -> Array:
        """(B, N, width) -> the same."""
        x = x + self.attn(self.attn_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class Stage(Part):
    """Patches of the previous stage's feature map, `depth` blocks and a LayerNorm."""

    def __init__(self, dims: Mapping[str, Any], index: int, channels: int, size: Size) -> None:
        super().__init__()
        width = dims["hidden_sizes"][index]
        patch, stride = dims["patch_sizes"][index], dims["strides"][index]
        self.patch_embed = PatchEmbed(channels, width, patch, stride, size)
        self.out = self.patch_embed.out
        self.blocks = Repeat(MixBlock(dims, index, self.out), dims["depths"][index])
        self.norm = Norm(width, "layernorm", True)

    def forward(self, x: Array) -> Array:
        """(B, C, ...) -> (B, D, *out)."""
        x = self.patch_embed(x)
        for block in self.blocks.each(x.trace, wrapped=True):
            x = block(x)
        return as_map(self.norm(x), self.out)


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

    def forward(self, features: list[Array]) -> Array:
        """The maps of all stages -> (B, V, Y, X) of the first."""
        levels = []
        for linear, feature in zip(self.projections.children.values(), features, strict=True):
            x = as_map(linear(as_positions(feature)), feature.shape[2:])
            levels.append(resized(x, self.sizes[0]))
        x = self.fuse(concatenate(levels, 1))
        return self.head(self.norm(x).apply("relu"))


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
        self.channels, self.side = dims["channels"], dims["image_size"]
        self.stages = Stages(dims)
        self.decoder = Decoder(dims, self.stages.sizes)

    def forward(self, images: Array) -> Array:
        """Class scores, (B, C, side, side) -> (B, V, Y, X) of the first stage."""
        features, x = [], images
        for stage in self.stages.children.values():
            x = stage(x)
            features.append(x)
        return self.decoder(features)

    def scores(self, images: Array) -> Array:
        """Class scores of every pixel, (B, C, side, side) -> (B, V, side, side)."""
        return resized(self(images).float(), images.shape[2:])

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` pictures."""
        images = trace.given(batch, self.channels, self.side, self.side)
        scores = self.scores(images)
        scores.cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """The classes of all pixels of `batch` pictures, which are there first."""
        images = trace.new((batch, self.channels, self.side, self.side))
        scores = self.scores(images)
        trace.compute((scores,), (batch, self.side, self.side), "int64")


def as_map(x: Array, size: Size) -> Array:
    """Positions as a map whose channels come last in memory, (B, N, D) -> (B, D, *size)."""
    return x.transpose(1, 2).unflatten(2, size)


def as_positions(x: Array) -> Array:
    """The reverse, (B, D, Y, X) -> (B, N, D)."""
    return x.flatten(2).transpose(1, 2)
