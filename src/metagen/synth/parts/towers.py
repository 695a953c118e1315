"""Encoder towers over text tokens and image patches, and what pools them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .base import Embedding, Flops, Linear, Part, Repeat, Tensor
from .norms import Norm


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


class TowerAttention(Part):
    """Multi-head attention with biases; `seen` tokens are attended to by `length` others.

    With `causal`, half of the square is masked.
    """

    def __init__(self, dim: int, seen: int | None = None, *, causal: bool = False) -> None:
        super().__init__()
        self.dim, self.seen, self.causal = dim, seen, causal
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


class TowerMLP(Part):
    """A plain two-layer perceptron with biases."""

    def __init__(self, dim: int, d_ff: int) -> None:
        super().__init__()
        self.up_proj = Linear(dim, d_ff, True)
        self.down_proj = Linear(d_ff, dim, True)


class TowerBlock(Part):
    """Pre-norm attention and MLP of one tower."""

    def __init__(self, dim: int, d_ff: int, *, causal: bool = False) -> None:
        super().__init__()
        self.attn_norm = layer_norm(dim)
        self.attn = TowerAttention(dim, causal=causal)
        self.mlp_norm = layer_norm(dim)
        self.mlp = TowerMLP(dim, d_ff)


class TextTower(Part):
    """Token and position embeddings, blocks, final norm; `flops` takes its own text length."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["text_d_model"]
        self.length = dims["context_length"]
        self.embed = Embedding(dims["vocab_size"], width)
        self.pos_embed = Embedding(self.length, width)
        block = TowerBlock(width, dims["text_d_ff"], causal=dims["text_causal"])
        self.blocks = Repeat(block, dims["text_n_layers"])
        self.norm = layer_norm(width)

    def flops(self, batch: int, length: int) -> Flops:
        return self.blocks.flops(batch, self.length)


def patches(dims: Mapping[str, Any]) -> int:
    """Patches of one picture."""
    return (dims["image_size"] // dims["patch_size"]) ** 2


class TowerBlocks(Repeat):
    """Equal blocks, of which those from `used` on are held but not trained."""

    def __init__(self, block: Part, n: int, used: int) -> None:
        super().__init__(block, n)
        self.used = used

    def _walk(self) -> Iterator[tuple[str, Tensor]]:
        entries = list(self.block.named_tensors())
        for i in range(self.n):
            for name, tensor in entries:
                yield f"{i}.{name}", tensor if i < self.used else replace(tensor, trainable=False)

    def flops(self, batch: int, length: int) -> Flops:
        return self.block.flops(batch, length) * self.used


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
        block = TowerBlock(width, dims["vision_d_ff"])
        spare = -1 - dims.get("feature_layer", -1)
        self.blocks = TowerBlocks(block, dims["vision_n_layers"], dims["vision_n_layers"] - spare)
        if spare:
            self.norm = layer_norm(width)
            for name, tensor in self.norm.tensors.items():
                self.norm.tensors[name] = replace(tensor, trainable=False)

    def flops(self, batch: int, length: int) -> Flops:
        return self.patch_embed.flops(batch, 1) + self.blocks.flops(batch, self.positions)


class AttentionPool(Part):
    """A learned probe that attends to the tokens of a picture, and an MLP."""

    def __init__(self, dim: int, d_ff: int, seen: int) -> None:
        super().__init__()
        self.parameter("probe", 1, 1, dim)
        self.attn = TowerAttention(dim, seen)
        self.norm = layer_norm(dim)
        self.mlp = TowerMLP(dim, d_ff)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, 1)
