"""The detection transformer (Carion et al., 2020), with or without masks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from .base import Embedding, Flops, Linear, Numbered, Part, Repeat
from .convnets import Stage, unchanged
from .convolution import BatchNorm2d, Conv2d, Size, halved, max_pooled, resized
from .mlp import MLP
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace

#: Objects of a picture, as many as the built-in pictures have at most.
OBJECTS = 3


def _norm(dims: Mapping[str, Any]) -> Norm:
    return Norm(dims["d_model"], "layernorm", True)


def _mlp(dims: Mapping[str, Any]) -> MLP:
    return MLP(dims["d_model"], dims["d_ff"], gated=False, bias=True, activation="relu")


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
            self.shortcut = Numbered(projection, BatchNorm2d(width, frozen=True))

    def forward(self, x: Array) -> Array:
        """(B, before, ...) -> (B, width, *out)."""
        kept = self.children.get("shortcut", unchanged)(x)
        x = self.norm1(self.conv1(x)).apply("relu")
        x = self.norm2(self.conv2(x)).apply("relu")
        return (self.norm3(self.conv3(x)) + kept).apply("relu")


class Backbone(Part):
    """The residual network; `outs` are the sizes of its stages' feature maps."""

    def __init__(self, dims: Mapping[str, Any], size: Size) -> None:
        super().__init__()
        stem = dims["stem_dim"]
        self.stem = Conv2d(dims["channels"], stem, 7, size, stride=2, padding=3, bias=False)
        self.stem_norm = BatchNorm2d(stem, frozen=True)
        size = self.pooled = halved(self.stem.out)
        stages, before = [], stem
        self.outs: list[Size] = []
        for index, (width, depth) in enumerate(
            zip(dims["hidden_sizes"], dims["depths"], strict=True)
        ):
            first = Bottleneck(before, width, 2 if index else 1, size)
            size, before = first.out, width
            rest = Bottleneck(width, width, 1, size)
            stages.append(Stage(first, rest, depth))
            self.outs.append(size)
        self.stages = Numbered(*stages)

    def forward(self, images: Array) -> list[Array]:
        """(B, C, side, side) -> the map of every stage, (B, W, Y, X) each."""
        x = self.stem_norm(self.stem(images)).apply("relu")
        x = max_pooled(x, self.pooled)
        features = []
        for stage in self.stages.children.values():
            for block in stage.each(x.trace):
                x = block(x)
            features.append(x)
        return features


class DetrAttention(Part):
    """Multi-head attention of `queries` to `keys` positions, biased."""

    def __init__(self, width: int, n_heads: int, queries: int, keys: int) -> None:
        super().__init__()
        self.width, self.n_heads, self.queries, self.keys = width, n_heads, queries, keys
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

    def forward(self, q: Array, k: Array, v: Array) -> Array:
        """(B, Q, D) to (B, N, D) twice -> (B, Q, D)."""
        q, k, v = self.q_proj(q), self.k_proj(k), self.v_proj(v)
        q, k, v = (a.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for a in (q, k, v))
        return self.o_proj(q.trace.attend(q, k, v).transpose(1, 2).flatten(2))


class EncoderLayer(Part):
    """Self-attention over positions and an MLP, post-norm."""

    def __init__(self, dims: Mapping[str, Any], positions: int) -> None:
        super().__init__()
        self.positions = positions
        self.attn = DetrAttention(dims["d_model"], dims["n_heads"], positions, positions)
        self.attn_norm = _norm(dims)
        self.mlp = _mlp(dims)
        self.mlp_norm = _norm(dims)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)

    def forward(self, x: Array, places: Array) -> Array:
        """(B, N, D) at places (N, D) -> (B, N, D)."""
        placed = x + places
        x = self.attn_norm(x + self.attn(placed, placed, x))
        return self.mlp_norm(x + self.mlp(x))


class DecoderLayer(Part):
    """Attention among queries, of queries to positions, and an MLP, post-norm."""

    def __init__(self, dims: Mapping[str, Any], positions: int) -> None:
        super().__init__()
        sizes, self.queries = (dims["d_model"], dims["n_heads"]), dims["num_queries"]
        self.self_attn = DetrAttention(*sizes, self.queries, self.queries)
        self.self_norm = _norm(dims)
        self.cross_attn = DetrAttention(*sizes, self.queries, positions)
        self.cross_norm = _norm(dims)
        self.mlp = _mlp(dims)
        self.mlp_norm = _norm(dims)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.queries)

    def forward(self, x: Array, queries: Array, memory: Array, places: Array) -> Array:
        """(B, Q, D) by queries (Q, D) to (B, N, D) at places (N, D) -> (B, Q, D)."""
        asked = x + queries
        x = self.self_norm(x + self.self_attn(asked, asked, x))
        x = self.cross_norm(x + self.cross_attn(x + queries, memory + places, memory))
        return self.mlp_norm(x + self.mlp(x))


class MaskHead(Part):
    """Pixel features from coarse to fine, and their products with the queries."""

    def __init__(self, dims: Mapping[str, Any], sizes: list[Size]) -> None:
        super().__init__()
        width, finer = dims["d_model"], dims["hidden_sizes"][:-1]
        self.width, self.queries, self.pixels = width, dims["num_queries"], prod(sizes[0])
        self.laterals = Numbered(
            *(Conv2d(w, width, 1, s) for w, s in zip(finer, sizes, strict=False))
        )
        self.smooth = Numbered(
            *(Conv2d(width, width, 3, s, padding=1) for _, s in zip(finer, sizes, strict=False))
        )
        self.pixel_proj = Conv2d(width, width, 1, sizes[0])
        self.query_proj = Numbered(*(Linear(width, width, True) for _ in range(3)))

    def flops(self, batch: int, length: int) -> Flops:
        products = Flops(2 * batch * self.queries * self.width * self.pixels)
        return super().flops(batch, self.queries) + products

    def forward(self, found: Array, features: list[Array]) -> Array:
        """(B, Q, D) and the map of every stage -> (B, Q, Y, X) of the first."""
        x = features[-1]
        stages = zip(
            self.laterals.children.values(),
            self.smooth.children.values(),
            features[:-1],
            strict=True,
        )
        for lateral, smooth, feature in reversed(list(stages)):
            x = resized(x, feature.shape[2:]) + lateral(feature)
            x = smooth(x).apply("relu")
        pixels = self.pixel_proj(x)
        found = read(self.query_proj, found)
        return (found @ pixels.flatten(2)).unflatten(2, pixels.shape[2:])


class Detr(Part):
    """Backbone, encoder, decoder and heads over pictures of `size`, by default square ones."""

    def __init__(self, dims: Mapping[str, Any], size: Size | None = None) -> None:
        super().__init__()
        width, self.queries = dims["d_model"], dims["num_queries"]
        self.picture = (dims["channels"], *(size or (dims["image_size"], dims["image_size"])))
        self.backbone = Backbone(dims, self.picture[1:])
        sizes = self.backbone.outs
        self.input_proj = Conv2d(dims["hidden_sizes"][-1], width, 1, sizes[-1])
        self.query_embed = Embedding(self.queries, width)
        positions = prod(sizes[-1])
        self.encoder = Repeat(EncoderLayer(dims, positions), dims["encoder_layers"])
        self.decoder = Repeat(DecoderLayer(dims, positions), dims["decoder_layers"])
        self.norm = _norm(dims)
        self.class_head = Linear(width, dims["num_classes"] + 1, True)
        self.box_head = Numbered(*(Linear(width, out, True) for out in (width, width, 4)))
        if dims["masks"]:
            self.mask_head = MaskHead(dims, sizes)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.queries)

    def decode(self, images: Array) -> tuple[list[Array], list[Array]]:
        """What the queries hold after each decoder layer, (B, Q, D), and all feature maps."""
        trace, features = images.trace, self.backbone(images)
        x = self.input_proj(features[-1])
        size = x.shape[2:]
        places = trace.new((prod(size), x.shape[1]), x.dtype)
        memory = x.flatten(2).transpose(1, 2)
        for layer in self.encoder.each(trace, wrapped=True):
            memory = layer(memory, places)
        queries = trace.weight(self.query_embed)
        x = trace.new(queries.shape, queries.dtype).expand(images.shape[0], *queries.shape)
        layer, found = partial(trace.checkpointed, self.decoder.block), []
        for _ in range(self.decoder.n):
            x = trace.distinct(lambda x: layer(x, queries, memory, places), x)
            found.append(self.norm(x))
        return found, [*features[:-1], memory.transpose(1, 2).unflatten(2, size)]

    def boxes(self, found: Array) -> Array:
        """Boxes of what the queries hold, (B, Q, D) -> (B, Q, 4)."""
        return read(self.box_head, found).float().apply("sigmoid")

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` pictures; pairs of boxes are too few to count."""
        found, features = self.decode(trace.given(batch, *self.picture))
        for hidden in found:
            self.class_head(hidden).float().cross_entropy()
            self.boxes(hidden)
        if "mask_head" in self.children:
            objects = batch * min(OBJECTS, self.queries)
            masks = self.mask_head(hidden, features)
            masks = trace.compute((masks,), (objects, *masks.shape[2:]))
            mask_losses(masks, trace.new((objects, *self.picture[1:]), "fp32"))

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """What is found in `batch` pictures, which are there first; masks at their resolution."""
        images = trace.new((batch, *self.picture))
        found, features = self.decode(images)
        for head in (self.class_head, self.boxes):
            head(found[-1])
        if "mask_head" in self.children:
            coarse = self.mask_head(found[-1], features)
            del found, features
            masks = resized(coarse.float(), self.picture[1:])
            inside = trace.compute((masks,), masks.shape, "bool")
            masks.apply("sigmoid") * inside


def read(layers: Numbered, x: Array) -> Array:
    """Linear layers with a rectifier after each but the last."""
    *inner, last = layers.children.values()
    for linear in inner:
        x = linear(x).apply("relu")
    return last(x)


def mask_losses(scores: Array, masks: Array) -> None:
    """Cross-entropy and Dice loss of paired masks, (n, Y, X) and (n, side, side)."""
    trace = scores.trace
    scores = resized(scores.unsqueeze(1).float(), masks.shape[1:]).squeeze(1)
    trace.keep(scores)
    trace.keep(masks)
    shares = scores.apply("sigmoid").flatten(1)
    masks = masks.flatten(1)
    (shares * masks).sum(1)
