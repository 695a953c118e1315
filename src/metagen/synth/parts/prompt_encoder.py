"""The transformer that reads prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .base import Embedding, Flops, Part, Repeat
from .dit_block import DitAttention
from .mlp import MLP
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array


class PromptBlock(Part):
    """Pre-norm attention of every token to those of the text, and an MLP."""

    def __init__(self, width: int, n_heads: int, d_ff: int) -> None:
        super().__init__()
        self.attn_norm = Norm(width, "layernorm", True)
        self.attn = DitAttention(width, n_heads, width)
        self.mlp_norm = Norm(width, "layernorm", True)
        self.mlp = MLP(width, d_ff, gated=False, bias=True, activation="gelu")

    def forward(self, x: Array, seen: Array) -> Array:
        """(B, S, width), of which (B, S) are `seen` -> (B, S, width)."""
        y = self.attn_norm(x)
        x = x + self.attn(y, y, seen.view(seen.shape[0], 1, 1, -1))
        return x + self.mlp(self.mlp_norm(x))


class PromptEncoder(Part):
    """Token and position embeddings, bidirectional blocks, final norm.

    `flops` takes its own number of tokens, `prompt_length`.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, self.length = dims["text_d_model"], dims["prompt_length"]
        self.embed = Embedding(dims["vocab_size"], width)
        self.pos_embed = Embedding(self.length, width)
        block = PromptBlock(width, dims["text_n_heads"], dims["text_d_ff"])
        self.blocks = Repeat(block, dims["text_n_layers"])
        self.norm = Norm(width, "layernorm", True)

    def flops(self, batch: int, length: int) -> Flops:
        return self.blocks.flops(batch, self.length)

    def forward(self, tokens: Array) -> Array:
        """(B, S) -> hidden states, (B, S, D)."""
        trace = tokens.trace
        x = self.embed(tokens) + trace.weight(self.pos_embed).narrow(0, tokens.shape[1])
        seen = seen_tokens(tokens)
        for block in self.blocks.each(trace, wrapped=True):
            x = block(x, seen)
        return self.norm(x)


def seen_tokens(tokens: Array) -> Array:
    """Which of (B, S) belong to a text."""
    return tokens.trace.new(tokens.shape, "bool")


def pooled(states: Array, tokens: Array) -> Array:
    """The mean of hidden states over the tokens of each text, (B, S, D) -> (B, D)."""
    seen = seen_tokens(tokens).unsqueeze(-1).to(states.dtype)
    return (states * seen).sum(1) / seen.sum(1)
