"""The bidirectional text encoder and its block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from .base import Embedding, Flops, Linear, Part, Repeat, Tensor
from .mlp import MLP
from .norms import Norm


def _norm(dims: Mapping[str, Any]) -> Norm:
    return Norm(dims["d_model"], "layernorm", dims["norm_bias"])


class Attention(Part):
    """Self-attention that looks both ways, or `reach` tokens to either side."""

    def __init__(
        self, d_model: int, n_heads: int, head_dim: int, *, bias: bool = False, reach: int = 0
    ) -> None:
        super().__init__()
        self.width, self.reach = n_heads * head_dim, reach
        self.q_proj = Linear(d_model, self.width, bias)
        self.k_proj = Linear(d_model, self.width, bias)
        self.v_proj = Linear(d_model, self.width, bias)
        self.o_proj = Linear(self.width, d_model, bias)

    def flops(self, batch: int, length: int) -> Flops:
        """Projections, plus scores and weighted sum: 4 · heads · head_dim for each (query, key).

        Local layers work in chunks of `reach` queries on 3 · reach keys.
        """
        pairs = length * length
        if self.reach:
            pairs = ceil(length / self.reach) * 3 * self.reach**2
        return super().flops(batch, length) + Flops(4 * batch * self.width * pairs)


class Block(Part):
    """One layer of an encoder; post-norm (BERT) and pre-norm blocks have the same tensors."""

    def __init__(self, dims: Mapping[str, Any], *, local: bool = False) -> None:
        super().__init__()
        self.attn_norm = _norm(dims)
        self.attn = Attention(
            dims["d_model"],
            dims["n_heads"],
            dims["head_dim"],
            bias=dims["attn_bias"],
            reach=dims["sliding_window"] // 2 if local else 0,
        )
        self.mlp_norm = _norm(dims)
        self.mlp = MLP(
            dims["d_model"], dims["d_ff"], gated=dims["mlp"] == "gated", bias=dims["mlp_bias"]
        )


class Blocks(Repeat):
    """`n_layers` blocks, of which every `global_every`-th sees the whole text.

    Without `first_norm` the first block has no norm before its attention.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(Block(dims), dims["n_layers"])
        object.__setattr__(self, "local", Block(dims, local=bool(dims["sliding_window"])))
        self.n_global = ceil(self.n / dims["global_every"])
        self.bare = not dims["first_norm"] and self.n > 0

    def _walk(self) -> Iterator[tuple[str, Tensor]]:
        for name, tensor in super()._walk():
            if not (self.bare and name.startswith("0.attn_norm.")):
                yield name, tensor

    def count(self, *, quantizable_only: bool = False) -> int:
        missing = self.block.children["attn_norm"].count(quantizable_only=quantizable_only)
        return super().count(quantizable_only=quantizable_only) - self.bare * missing

    def flops(self, batch: int, length: int) -> Flops:
        whole = self.block.flops(batch, length) * self.n_global
        return whole + self.local.flops(batch, length) * (self.n - self.n_global)

    def parts(self) -> Iterator[tuple[str, int, Part]]:
        n_local = self.n - self.n_global
        for (name, whole), local in zip(
            self.block.children.items(), self.local.children.values(), strict=True
        ):
            if name == "attn" and n_local:
                yield name, self.n_global, whole
                yield name, n_local, local
            else:
                yield name, self.n - (self.bare and name == "attn_norm"), whole


class Pooled(Linear):
    """A linear layer on one vector for each text."""

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, 1)


class TextEncoder(Part):
    """Embeddings, `n_layers` blocks, final norm, pooler and the head that the task asks for."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, head, pooler = dims["d_model"], dims["head"], dims["pooler"]
        each = Linear if head == "masked" else Pooled
        self.embed = Embedding(dims["vocab_size"], width)
        if dims["pos"] == "learned":
            self.pos_embed = Embedding(dims["pos_rows"], width)
        if dims["type_vocab_size"]:
            self.type_embed = Embedding(dims["type_vocab_size"], width)
        if dims["embed_norm"]:
            self.embed_norm = _norm(dims)
        self.blocks = Blocks(dims)
        if dims["final_norm"]:
            self.norm = _norm(dims)
        if pooler != "none":
            self.pooler = each(width, width, dims["pooler_bias"])
        if pooler == "gelu_norm":
            self.pooler_norm = _norm(dims)
        if head == "classification":
            self.head = Pooled(width, dims["num_classes"], True)
        elif head == "ranking":
            self.head = Pooled(width, 1, True)
        elif head == "masked":
            self.head = Linear(width, dims["vocab_size"], True)
            if dims["tied"]:
                self.tie("head.weight", "embed.weight")
        elif dims["embedding_dim"]:
            self.head = Pooled(width, dims["embedding_dim"])
