"""The detection transformer (Carion et al., 2020), with or without masks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

from .base import Embedding, Flops, Linear, Part, Repeat
from .convolution import BatchNorm2d, Conv2d, Size
from .mlp import MLP
from .norms import Norm


def _norm(dims: Mapping[str, Any]) -> Norm:
    return Norm(dims["d_model"], "layernorm", True)


def _mlp(dims: Mapping[str, Any]) -> MLP:
    return MLP(dims["d_model"], dims["d_ff"], gated=False, bias=True)


class Numbered(Part):
    """Parts under the names "0", "1", ..., as `nn.ModuleList` and `nn.Sequential` hold them."""

    def __init__(self, parts: Iterable[Part]) -> None:
        super().__init__()
        for index, part in enumerate(parts):
            setattr(self, str(index), part)


class Bottleneck(Part):
    """Three convolutions with frozen norms and a residual, the middle one a quarter as wide."""

    def __init__(self, before: int, width: int, stride: int, size: Size) -> None:
        super().__init__()
        narrow = width // 4
        self.conv1 = Conv2d(before, narrow, 1, size, bias=False)
        self.norm1 = BatchNorm2d(narrow, frozen=True)
        self.conv2 = Conv2d(narrow, narrow, 3, size, stride=stride, padding=1, bias=False)
        self.norm2 = BatchNorm2d(narrow, frozen=True)
        self.out = self.conv2.out
        self.conv3 = Conv2d(narrow, width, 1, self.out, bias=False)
        self.norm3 = BatchNorm2d(width, frozen=True)
        if before != width or stride != 1:
            projection = Conv2d(before, width, 1, size, stride=stride, bias=False)
            self.shortcut = Numbered([projection, BatchNorm2d(width, frozen=True)])


class Backbone(Part):
    """The residual network; `outs` are the sizes of its stages' feature maps."""

    def __init__(self, dims: Mapping[str, Any], size: Size) -> None:
        super().__init__()
        stem = dims["stem_dim"]
        self.stem = Conv2d(dims["channels"], stem, 7, size, stride=2, padding=3, bias=False)
        self.stem_norm = BatchNorm2d(stem, frozen=True)
        size = tuple((s + 2 - 3) // 2 + 1 for s in self.stem.out)  # the pooling
        stages, before = [], stem
        self.outs: list[Size] = []
        for index, (width, depth) in enumerate(
            zip(dims["hidden_sizes"], dims["depths"], strict=True)
        ):
            first = Bottleneck(before, width, 2 if index else 1, size)
            size, before = first.out, width
            rest = Bottleneck(width, width, 1, size)
            stages.append(Numbered([first, *[rest] * (depth - 1)]))
            self.outs.append(size)
        self.stages = Numbered(stages)


class DetrAttention(Part):
    """Multi-head attention of `queries` to `keys` positions, biased."""

    def __init__(self, width: int, queries: int, keys: int) -> None:
        super().__init__()
        self.width, self.queries, self.keys = width, queries, keys
        self.q_proj = Linear(width, width, True)
        self.k_proj = Linear(width, width, True)
        self.v_proj = Linear(width, width, True)
        self.o_proj = Linear(width, width, True)

    def flops(self, batch: int, length: int) -> Flops:
        """Projections of both sides, plus 4 · width for each (query, key)."""
        each = self.q_proj.flops(batch, 1)
        return each * (2 * self.queries + 2 * self.keys) + Flops(
            4 * batch * self.width * self.queries * self.keys
        )


class EncoderLayer(Part):
    """Self-attention over positions and an MLP, post-norm."""

    def __init__(self, dims: Mapping[str, Any], positions: int) -> None:
        super().__init__()
        self.positions = positions
        self.attn = DetrAttention(dims["d_model"], positions, positions)
        self.attn_norm = _norm(dims)
        self.mlp = _mlp(dims)
        self.mlp_norm = _norm(dims)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)


class DecoderLayer(Part):
    """Attention among queries, of queries to positions, and an MLP, post-norm."""

    def __init__(self, dims: Mapping[str, Any], positions: int) -> None:
        super().__init__()
        width, self.queries = dims["d_model"], dims["num_queries"]
        self.self_attn = DetrAttention(width, self.queries, self.queries)
        self.self_norm = _norm(dims)
        self.cross_attn = DetrAttention(width, self.queries, positions)
        self.cross_norm = _norm(dims)
        self.mlp = _mlp(dims)
        self.mlp_norm = _norm(dims)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.queries)


class MaskHead(Part):
    """Pixel features from coarse to fine, and their products with the queries."""

    def __init__(self, dims: Mapping[str, Any], sizes: list[Size]) -> None:
        super().__init__()
        width, finer = dims["d_model"], dims["hidden_sizes"][:-1]
        self.width, self.queries, self.pixels = width, dims["num_queries"], prod(sizes[0])
        self.laterals = Numbered(Conv2d(w, width, 1, s) for w, s in zip(finer, sizes, strict=False))
        self.smooth = Numbered(
            Conv2d(width, width, 3, s, padding=1) for _, s in zip(finer, sizes, strict=False)
        )
        self.pixel_proj = Conv2d(width, width, 1, sizes[0])
        self.query_proj = Numbered(Linear(width, width, True) for _ in range(3))

    def flops(self, batch: int, length: int) -> Flops:
        products = Flops(2 * batch * self.queries * self.width * self.pixels)
        return super().flops(batch, self.queries) + products


class Detr(Part):
    """Backbone, encoder, decoder and heads over pictures of `size`, by default square ones."""

    def __init__(self, dims: Mapping[str, Any], size: Size | None = None) -> None:
        super().__init__()
        width, self.queries = dims["d_model"], dims["num_queries"]
        self.backbone = Backbone(dims, size or (dims["image_size"], dims["image_size"]))
        sizes = self.backbone.outs
        self.input_proj = Conv2d(dims["hidden_sizes"][-1], width, 1, sizes[-1])
        self.query_embed = Embedding(self.queries, width)
        positions = prod(sizes[-1])
        self.encoder = Repeat(EncoderLayer(dims, positions), dims["encoder_layers"])
        self.decoder = Repeat(DecoderLayer(dims, positions), dims["decoder_layers"])
        self.norm = _norm(dims)
        self.class_head = Linear(width, dims["num_classes"] + 1, True)
        self.box_head = Numbered(Linear(width, out, True) for out in (width, width, 4))
        if dims["masks"]:
            self.mask_head = MaskHead(dims, sizes)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.queries)
