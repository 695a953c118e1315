"""The bidirectional text encoder and its block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import TYPE_CHECKING, Any

from .attention import Rotary
from .base import Embedding, Flops, Linear, Part, Repeat, Tensor
from .mlp import MLP
from .norms import Norm, unit

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


def _norm(dims: Mapping[str, Any]) -> Norm:
    return Norm(dims["d_model"], "layernorm", dims["norm_bias"])


class Sight:
    """Where the tokens of `batch` texts stand, and which of them attention sees.

    Local layers work in chunks of `reach` tokens; `seen` says whether texts have padding.
    """

    def __init__(
        self, trace: Trace, batch: int, length: int, *, rotary: int, reach: int, seen: bool
    ) -> None:
        self.length, self.reach = length, reach
        self.mask = trace.given(batch, 1, 1, length, dtype="bool") if seen else None
        self.turn = self.local_turn = Rotary(trace, length, rotary) if rotary else None
        if reach:
            self.local_turn = Rotary(trace, length, rotary) if rotary else None
            self.chunks = ceil(length / reach)
            self.near = trace.new((batch * self.chunks, 1, reach, 3 * reach), "bool")

    def padded(self, x: Array) -> Array:
        """Whole chunks of (B, H, T, K)."""
        return x.pad(2, self.chunks * self.reach - self.length)

    def neighbours(self, x: Array) -> Array:
        """Every chunk with those before and after: (B, H, T, K) -> (B * chunks, H, 3R, K)."""
        batch, heads, _, width = x.shape
        shape = (batch * self.chunks, heads, 3 * self.reach, width)
        x = x.pad(2, 2 * self.reach).expand(*shape)
        return x.copy() if batch > 1 else x

    def local_attention(self, q: Array, k: Array, v: Array) -> Array:
        """Attention within reach, (B, H, T, K) each -> (B, H, T, K)."""
        several = q.shape[0] > 1  # chunks of one text follow one another as they are
        q = self.padded(q).unflatten(2, (self.chunks, self.reach)).transpose(1, 2)
        q = (q.copy() if several else q).flatten(0, 1)  # (B * chunks, H, R, K)
        k, v = self.neighbours(self.padded(k)), self.neighbours(self.padded(v))
        y = q.trace.attend(q, k, v, self.near)
        y = y.unflatten(0, (-1, self.chunks)).transpose(1, 2)  # (B, H, chunks, R, K)
        return (y.copy() if several else y).flatten(2, 3).narrow(2, self.length)


class Attention(Part):
    """Self-attention that looks both ways, or `reach` tokens to either side."""

    def __init__(
        self, d_model: int, n_heads: int, head_dim: int, *, bias: bool = False, reach: int = 0
    ) -> None:
        super().__init__()
        self.width, self.reach, self.head_dim = n_heads * head_dim, reach, head_dim
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

    def forward(self, x: Array, sight: Sight) -> Array:
        """(B, T, d_model) -> the same."""
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        q, k, v = (a.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for a in (q, k, v))
        turn = sight.local_turn if self.reach else sight.turn
        if turn:
            q, k = turn(q), turn(k)
        if self.reach:
            y = sight.local_attention(q, k, v)
        else:
            y = x.trace.attend(q, k, v, sight.mask)
        y = y.transpose(1, 2)
        if turn or self.reach:  # queries lie head by head, and so does y
            y = y.copy()
        return self.o_proj(y.flatten(2))


class Block(Part):
    """One layer of an encoder; post-norm (BERT) and pre-norm blocks have the same tensors."""

    def __init__(
        self, dims: Mapping[str, Any], *, local: bool = False, normed: bool = True
    ) -> None:
        super().__init__()
        self.post = dims["norm_order"] == "post"
        if normed:
            self.attn_norm = _norm(dims)
        self.attn = Attention(
            dims["d_model"],
            dims["n_heads"],
            dims["head_dim"],
            bias=dims["attn_bias"],
            reach=dims["sliding_window"] // 2 if local else 0,
        )
        self.mlp_norm = _norm(dims)
        options = {"bias": dims["mlp_bias"], "activation": dims["activation"]}
        self.mlp = MLP(dims["d_model"], dims["d_ff"], gated=dims["mlp"] == "gated", **options)

    def forward(self, x: Array, sight: Sight) -> Array:
        """(B, T, d_model) -> the same."""
        if self.post:
            x = self.attn_norm(x + self.attn(x, sight))
            return self.mlp_norm(x + self.mlp(x))
        x = x + self.attn(self.attn_norm(x) if "attn_norm" in self.children else x, sight)
        return x + self.mlp(self.mlp_norm(x))


class Blocks(Repeat):
    """`n_layers` blocks, of which every `global_every`-th sees the whole text.

    Without `first_norm` the first block has no norm before its attention.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(Block(dims), dims["n_layers"])
        self.local = Block(dims, local=bool(dims["sliding_window"]))
        self.n_global = ceil(self.n / dims["global_every"])
        self.every = dims["global_every"]
        self.bare = not dims["first_norm"] and self.n > 0
        self.first = Block(dims, normed=not self.bare)

    def _walk(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        for name, tensor in super()._walk(prefix):
            if not (self.bare and name.startswith(f"{prefix}0.attn_norm.")):
                yield name, tensor

    def count(self, *, quantizable_only: bool = False) -> int:
        missing = self.block.children["attn_norm"].count(quantizable_only=quantizable_only)
        return super().count(quantizable_only=quantizable_only) - self.bare * missing

    def flops(self, batch: int, length: int) -> Flops:
        whole = self.block.flops(batch, length) * self.n_global
        return whole + self.local.flops(batch, length) * (self.n - self.n_global)

    def runs(self) -> Iterator[tuple[Part, int]]:
        kinds = [(self.block, self.n_global - 1), (self.local, self.n - self.n_global)]
        yield self.first, min(1, self.n)
        yield from kinds if (self.n - 1) % self.every else reversed(kinds)

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
        self.asked, self.pooling, self.texts = head, dims["pooling"], texts_of(dims)
        rotary = dims["head_dim"] if dims["pos"] == "rope" else 0
        self.sight = {"rotary": rotary, "reach": dims["sliding_window"] // 2}
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

    def hidden(self, tokens: Array, *, seen: bool, typed: bool) -> Array:
        """Final hidden states, (B, T) -> (B, T, d_model); `seen` where there may be padding."""
        trace = tokens.trace
        sight = Sight(trace, *tokens.shape, **self.sight, seen=seen)
        x = self.embed(tokens)
        if "pos_embed" in self.children:
            x = x + trace.weight(self.pos_embed).narrow(0, tokens.shape[1])
        if "type_embed" in self.children:
            types = tokens if typed else trace.new(tokens.shape, "int64")
            trace.keep(types)
            x = x + self.type_embed(types)
        if "embed_norm" in self.children:
            x = self.embed_norm(x)
        for block in self.blocks.each(trace):
            x = block(x, sight)
        return self.norm(x) if "norm" in self.children else x

    def forward(self, tokens: Array, *, seen: bool = False, typed: bool = False) -> Array:
        """What the head makes of (B, T): (B, T, V) if it is asked for tokens, else (B, ...)."""
        x = self.hidden(tokens, seen=seen, typed=typed)
        if self.asked != "masked":
            if self.pooling == "first":
                x = x.select(1)
            else:
                weights = tokens if seen else tokens.trace.new(tokens.shape, "int64")
                weights = weights.unsqueeze(-1).to(x.dtype)
                x = (x * weights).sum(1) / weights.sum(1)
        if "pooler_norm" in self.children:
            x = self.pooler_norm(self.pooler(x).apply("gelu"))
        elif "pooler" in self.children:
            x = self.pooler(x).apply("tanh")
        return self.head(x) if "head" in self.children else x

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` examples, of one text or several of `length` tokens."""
        tokens = trace.given(batch * self.texts, length, dtype="int64")
        scores = self(tokens, seen=True, typed=self.asked == "ranking")
        if self.asked == "ranking":
            scores.view(batch, self.texts).float().cross_entropy()
        elif self.asked == "embedding":
            left, right = unit(scores.float()).view(batch, 2, -1).split((1, 1), 1)
            scores = left.squeeze(1) @ right.squeeze(1).transpose(0, 1) / 1.0
            scores.cross_entropy()
            scores.transpose(0, 1).cross_entropy()
        else:
            scores.float().cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """What the head makes of `batch` texts of `length` tokens."""
        self(trace.given(batch, length, dtype="int64"))


def texts_of(dims: Mapping[str, Any]) -> int:
    """Texts of one training example."""
    return {"embedding": 2, "ranking": dims["candidates"]}.get(dims["head"], 1)
