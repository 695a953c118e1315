"""The language model of sound codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Embedding, Linear, Part, Repeat
from .encoder_decoder import CrossAttention, MultiHeadAttention
from .mlp import MLP
from .norms import Norm

#: Attention of published language models of codes has no biases.
_ATTENTION = {"attn_bias": False, "key_bias": False}


class CodeBlock(Part):
    """Causal attention, attention to `memory` states of a condition (0: none), and MLP."""

    def __init__(self, dims: Mapping[str, Any], memory: int) -> None:
        super().__init__()
        d_model, attention = dims["d_model"], {**dims, **_ATTENTION}
        self.attn_norm = Norm(d_model, "layernorm", True)
        self.attn = MultiHeadAttention(attention, causal=True)
        if memory:
            self.cross_norm = Norm(d_model, "layernorm", True)
            self.cross = CrossAttention(attention, memory)
        self.mlp_norm = Norm(d_model, "layernorm", True)
        self.mlp = MLP(d_model, dims["d_ff"], gated=False)


class CodeLM(Part):
    """A decoder over frames of codes; `length` counts steps, of all codebooks at once."""

    def __init__(self, dims: Mapping[str, Any], memory: int) -> None:
        super().__init__()
        d_model, codes, books = dims["d_model"], dims["codebook_size"], dims["n_codebooks"]
        self.embeds = Repeat(Embedding(codes + 1, d_model), books)
        self.blocks = Repeat(CodeBlock(dims, memory), dims["n_layers"])
        self.norm = Norm(d_model, "layernorm", True)
        self.heads = Repeat(Linear(d_model, codes), books)
