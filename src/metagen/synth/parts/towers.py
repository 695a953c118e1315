"""Encoder towers over text tokens and image patches, and what pools them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isqrt
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .base import Embedding, Flops, Linear, Part, Repeat, Tensor
from .convolution import convolve
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array


def layer_norm(width: int) -> Norm:
    return Norm(width, "layernorm", True)


class PatchEmbed(Part):
    """Twin of `nn.Conv2d` whose kernel is its stride: weight (out, in, size, size)."""

    def __init__(self, channels: int, width: int, size: int, patches: int, bias: bool) -> None:
        super().__init__()
        self.patches = patches
        self.parameter("weight", width, channels, size, size)
        if bias:
            self.parameter("bias", width)

    def flops(self, batch: int, length: int) -> Flops:
        return Flops(2 * batch * self.patches * self.tensors["weight"].numel)

    def forward(self, x: Array) -> Array:
        """(B, C, Y, X) -> (B, N, width)."""
        side = isqrt(self.patches)
        return convolve(x, x.trace.matrix(self), (side, side)).flatten(2).transpose(1, 2)


class TowerAttention(Part):
    """Multi-head attention with biases; `seen` tokens are attended to by `length` others.

    With `causal`, half of the square is masked.
    """

    def __init__(
        self, dim: int, n_heads: int = 1, seen: int | None = None, *, causal: bool = False
    ) -> None:
        super().__init__()
        self.dim, self.n_heads, self.seen, self.causal = dim, n_heads, seen, causal
        self.q_proj = Linear(dim, dim, True)
        self.k_proj = Linear(dim, dim, True)
        self.v_proj = Linear(dim, dim, True)
        self.o_proj = Linear(dim, dim, True)

    def flops(self, batch: int, length: int) -> Flops:
        """Projections, scores and weighted sum: 4 · width for each (query, key)."""
        seen = self.seen or length
        own = (self.q_proj.flops(batch, length), self.o_proj.flops(batch, length))
        keys = (self.k_proj.flops(batch, seen), self.v_proj.flops(batch, seen))
        unseen = length * (length - 1) // 2 if self.causal else 0
        per_pair = 4 * batch * self.dim
        return sum((*own, *keys), Flops(per_pair * length * seen, 0, per_pair * unseen))

    def forward(self, x: Array, seen: Array) -> Array:
        """(B, T, dim) to (B, S, dim) -> (B, T, dim)."""
        q = self.q_proj(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        k = self.k_proj(seen).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        v = self.v_proj(seen).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        y = x.trace.attend(q, k, v, causal=self.causal)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class TowerMLP(Part):
    """A plain two-layer perceptron with biases."""

    def __init__(self, dim: int, d_ff: int, activation: str = "gelu") -> None:
        super().__init__()
        self.activation = activation
        self.up_proj = Linear(dim, d_ff, True)
        self.down_proj = Linear(d_ff, dim, True)

    def forward(self, x: Array) -> Array:
        """(B, T, dim) -> the same."""
        return self.down_proj(self.up_proj(x).apply(self.activation))


class TowerBlock(Part):
    """Pre-norm attention and MLP of one tower."""

    def __init__(
        self,
        dim: int,
        d_ff: int,
        n_heads: int = 1,
        *,
        activation: str = "gelu",
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.attn_norm = layer_norm(dim)
        self.attn = TowerAttention(dim, n_heads, causal=causal)
        self.mlp_norm = layer_norm(dim)
        self.mlp = TowerMLP(dim, d_ff, activation)

    def forward(self, x: Array) -> Array:
        """(B, T, dim) -> the same."""
        normed = self.attn_norm(x)
        x = x + self.attn(normed, normed)
        return x + self.mlp(self.mlp_norm(x))


class TextTower(Part):
    """Token and position embeddings, blocks, final norm; `flops` takes its own text length."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["text_d_model"]
        self.length = dims["context_length"]
        self.embed = Embedding(dims["vocab_size"], width)
        self.pos_embed = Embedding(self.length, width)
        sizes = (width, dims["text_d_ff"], dims["text_n_heads"])
        options = {"activation": tower_activation(dims), "causal": dims["text_causal"]}
        self.blocks = Repeat(TowerBlock(*sizes, **options), dims["text_n_layers"])
        self.norm = layer_norm(width)

    def flops(self, batch: int, length: int) -> Flops:
        return self.blocks.flops(batch, self.length)

    def forward(self, tokens: Array) -> Array:
        """(B, T) -> (B, width): the final hidden state where a text ends."""
        trace = tokens.trace
        x = self.embed(tokens) + trace.weight(self.pos_embed).narrow(0, tokens.shape[1])
        for block in self.blocks.each(trace, wrapped=True):
            x = block(x)
        return self.norm(x.take(x.shape[0], x.shape[2]))


def tower_activation(dims: Mapping[str, Any]) -> str:
    """The nonlinearity of the towers, which that of a decoder beside them need not be."""
    return dims.get("vision_activation") or dims["activation"]


def patches(dims: Mapping[str, Any]) -> int:
    """Patches of one picture."""
    return (dims["image_size"] // dims["patch_size"]) ** 2


class TowerBlocks(Repeat):
    """Equal blocks, of which those from `used` on are held but not trained."""

    def __init__(self, block: Part, n: int, used: int) -> None:
        super().__init__(block, n)
        self.used = used

    def _walk(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        entries = list(self.block.named_tensors())
        for i in range(self.n):
            for name, tensor in entries:
                used = tensor if i < self.used else tensor._replace(trainable=False)
                yield f"{prefix}{i}.{name}", used

    def flops(self, batch: int, length: int) -> Flops:
        return self.block.flops(batch, length) * self.used

    def runs(self) -> Iterator[tuple[Part, int]]:
        yield self.block, self.used


class ImageTower(Part):
    """Patch embedding, positions, blocks; `flops` takes its own number of patches.

    With a `feature_layer` before the last, the layers after it and the final norm are held for the
    checkpoints that have them: neither computed nor trained.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, count = dims["vision_d_model"], patches(dims)
        self.positions = count + dims["class_token"]
        if dims["class_token"]:
            self.parameter("class_token", width)
        self.patch_embed = PatchEmbed(
            dims["channels"], width, dims["patch_size"], count, dims["patch_bias"]
        )
        self.pos_embed = Embedding(self.positions, width)
        if dims["pre_norm"]:
            self.pre_norm = layer_norm(width)
        sizes = (width, dims["vision_d_ff"], dims["vision_n_heads"])
        block = TowerBlock(*sizes, activation=tower_activation(dims))
        spare = -1 - dims.get("feature_layer", -1)
        self.blocks = TowerBlocks(block, dims["vision_n_layers"], dims["vision_n_layers"] - spare)
        if spare:
            self.norm = layer_norm(width)
            for name, tensor in self.norm.tensors.items():
                self.norm.tensors[name] = tensor._replace(trainable=False)

    def flops(self, batch: int, length: int) -> Flops:
        return self.patch_embed.flops(batch, 1) + self.blocks.flops(batch, self.positions)

    def forward(self, images: Array) -> Array:
        """(B, C, Y, X) -> (B, positions, width)."""
        trace = images.trace
        x = self.patch_embed(images)
        if "class_token" in self.tensors:
            token = trace.weight(self, "class_token")
            x = concatenate((token.expand(x.shape[0], 1, x.shape[2]), x), 1)
        x = x + trace.weight(self.pos_embed)
        if "pre_norm" in self.children:
            x = self.pre_norm(x)
        for block in self.blocks.each(trace, wrapped=True):
            x = block(x)
        return x


class AttentionPool(Part):
    """A learned probe that attends to the tokens of a picture, and an MLP."""

    def __init__(self, dim: int, d_ff: int, n_heads: int, seen: int, activation: str) -> None:
        super().__init__()
        self.parameter("probe", 1, 1, dim)
        self.attn = TowerAttention(dim, n_heads, seen)
        self.norm = layer_norm(dim)
        self.mlp = TowerMLP(dim, d_ff, activation)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, 1)

    def forward(self, x: Array) -> Array:
        """(B, N, dim) -> (B, dim)."""
        probe = x.trace.weight(self, "probe").expand(x.shape[0], 1, x.shape[2])
        y = self.attn(probe, x)
        return (y + self.mlp(self.norm(y))).select(1)
