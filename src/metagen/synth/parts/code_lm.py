"""The language model of sound codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate, stack
from .attention import Span
from .base import Embedding, Linear, Part, Repeat
from .encoder_decoder import CrossAttention, MultiHeadAttention
from .mlp import MLP
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace

#: Attention of published language models of codes has no biases.
_ATTENTION = {"attn_bias": False, "key_bias": False}


class CodeBlock(Part):
    """Causal attention, attention to `memory` states of a condition (0: none), and MLP."""

    def __init__(self, dims: Mapping[str, Any], memory: int) -> None:
        super().__init__()
        d_model, attention = dims["d_model"], {**dims, **_ATTENTION}
        self.looked_up = dims["n_heads"], memory, dims["head_dim"]
        self.attn_norm = Norm(d_model, "layernorm", True)
        self.attn = MultiHeadAttention(attention, causal=True)
        if memory:
            self.cross_norm = Norm(d_model, "layernorm", True)
            self.cross = CrossAttention(attention, memory)
        self.mlp_norm = Norm(d_model, "layernorm", True)
        self.mlp = MLP(d_model, dims["d_ff"], gated=False, activation="gelu")

    def forward(self, x: Array, span: Span, memory: Array | None = None) -> Array:
        """(B, U, d_model) to (B, S, d_model) -> (B, U, d_model).

        After a past, keys and values of the condition are known.
        """
        x = x + self.attn(self.attn_norm(x), span)
        if memory is not None:
            if span.past:
                known = (x.shape[0], *self.looked_up)
                k, v = (x.trace.given(*known, dtype=x.dtype) for _ in range(2))
            else:
                k, v = self.cross.keys_values(memory)
            x = x + self.cross(self.cross_norm(x), k, v)
        return x + self.mlp(self.mlp_norm(x))


class CodeLM(Part):
    """A decoder over frames of codes; `length` counts steps, of all codebooks at once."""

    def __init__(self, dims: Mapping[str, Any], memory: int) -> None:
        super().__init__()
        d_model, codes, books = dims["d_model"], dims["codebook_size"], dims["n_codebooks"]
        self.embeds = Repeat(Embedding(codes + 1, d_model), books)
        self.blocks = Repeat(CodeBlock(dims, memory), dims["n_layers"])
        self.norm = Norm(d_model, "layernorm", True)
        self.heads = Repeat(Linear(d_model, codes), books)

    def forward(self, codes: Array, memory: Array | None = None, past: int = 0) -> Array:
        """Scores of the codes after those of U steps, (B, Q, U) -> (B, Q, U, C)."""
        trace, length = codes.trace, codes.shape[2]
        trace.keep(codes)
        x: Array | float = 0.0
        for _ in range(self.embeds.n):
            x = self.embeds.block(codes.select(1)) + x
        x = x + sinusoids(trace, length, x.shape[-1]).to(x.dtype)
        span = Span(trace, length, past)
        for block in self.blocks.each(trace, wrapped=True):
            x = block(x, span, memory)
        x = self.norm(x)
        scores = [trace.distinct(self.heads.block, x) for _ in range(self.heads.n)]
        return stack(scores, 1)

    def learn(self, codes: Array, memory: Array | None) -> None:
        """The error over codes (B, Q, T), which are delayed: Q - 1 steps are added."""
        trace, (batch, books, frames) = codes.trace, codes.shape
        late = trace.new((batch, books, frames + books - 1), "int64")
        logits = self(trace.new(late.shape, "int64"), memory)
        logits.flatten(0, 2).float().cross_entropy()
        trace.keep(late)


def sinusoids(trace: Trace, steps: int, width: int) -> Array:
    """Fixed positions, (steps, width), in fp32."""
    angles = trace.new((steps, width // 2), "fp32")
    return concatenate((angles.apply("cos"), angles.apply("sin")))
