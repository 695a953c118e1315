"""The decoder-only language model and its block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .attention import Attention, Span
from .base import Embedding, Linear, Part, Repeat
from .mlp import MLP
from .moe import MixtureOfExperts
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


def _norm(dims: Mapping[str, Any]) -> Norm:
    return Norm(dims["d_model"], dims["norm"], dims["norm_bias"])


def _mlp(dims: Mapping[str, Any]) -> MLP | MixtureOfExperts:
    sizes, n_experts = (dims["d_model"], dims["d_ff"]), dims["n_experts"]
    options = {"gated": dims["mlp"] == "gated", "bias": dims["mlp_bias"]}
    options["activation"] = dims["activation"]
    if n_experts:
        options["norm_topk"] = dims["norm_topk"]
        return MixtureOfExperts(*sizes, n_experts, dims["top_k"], **options)
    return MLP(*sizes, **options)


class Block(Part):
    """One transformer layer; `norms_per_layer` and `parallel_block` decide where norms stand."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.norms, self.parallel = dims["norms_per_layer"], dims["parallel_block"]
        self.post_norm = dims["post_norm"]
        self.attn_norm = _norm(dims)
        self.attn = Attention(
            dims["d_model"],
            dims["n_heads"],
            dims["n_kv_heads"],
            dims["head_dim"],
            qkv_bias=dims["attn_qkv_bias"],
            out_bias=dims["attn_out_bias"],
            qk_norm=dims["qk_norm"],
            norm=dims["norm"],
            norm_bias=dims["norm_bias"],
            window=dims["sliding_window"] or None,
        )
        if dims["norms_per_layer"] == 4:
            self.attn_post_norm = _norm(dims)
        if dims["norms_per_layer"] > 1:
            self.mlp_norm = _norm(dims)
        self.mlp = _mlp(dims)
        if dims["norms_per_layer"] == 4:
            self.mlp_post_norm = _norm(dims)

    def forward(self, x: Array, span: Span) -> Array:
        """(B, T, d_model) -> the same."""
        if self.norms == 1:
            normed = self.attn_norm(x)
            return x + self.attn(normed, span) + self.mlp(normed)
        if self.parallel:
            return x + self.attn(self.attn_norm(x), span) + self.mlp(self.mlp_norm(x))
        if self.post_norm:
            x = x + self.attn_norm(self.attn(x, span))
            return x + self.mlp_norm(self.mlp(x))
        if self.norms == 4:
            x = x + self.attn_post_norm(self.attn(self.attn_norm(x), span))
            return x + self.mlp_post_norm(self.mlp(self.mlp_norm(x)))
        x = x + self.attn(self.attn_norm(x), span)
        return x + self.mlp(self.mlp_norm(x))


class LanguageModel(Part, ABC):
    """What scores the next token: final hidden states and a head, `lm_head`."""

    #: Tokens of a prompt that are read at once.
    prompt_chunk = 2048

    @abstractmethod
    def hidden(self, trace: Trace, batch: int, length: int, past: int = 0) -> Array:
        """Final hidden states of `length` tokens after `past` others, (B, T, d_model)."""

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` sequences of `length` tokens."""
        logits = self.lm_head(self.hidden(trace, batch, length))
        logits.flatten(0, 1).float().cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """The last chunk of a prompt that fills `length` positions, and the next token's scores."""
        chunk = min(length, self.prompt_chunk)
        x = self.hidden(trace, batch, chunk, length - chunk)
        self.lm_head(x.narrow(1, 1))

    def next_token(self, trace: Trace, batch: int, past: int) -> None:
        """One more token after `past` others."""
        self.lm_head(self.hidden(trace, batch, 1, past))


class DecoderLM(LanguageModel):
    """Embedding, `n_layers` blocks, final norm, output head; tied heads alias the embedding."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.window, self.scaled = dims["sliding_window"], dims["embed_scale"]
        rope = dims["pos"] == "rope"
        self.rotated = int(dims["head_dim"] * dims["rotary_pct"]) // 2 * 2 if rope else 0
        self.embed = Embedding(dims["vocab_size"], dims["d_model"])
        if dims["pos"] == "learned":
            self.pos_embed = Embedding(dims["pos_rows"], dims["d_model"])
        if dims["embed_norm"]:
            self.embed_norm = _norm(dims)
        self.blocks = Repeat(Block(dims), dims["n_layers"])
        if dims["final_norm"]:
            self.norm = _norm(dims)
        self.lm_head = Linear(dims["d_model"], dims["vocab_size"], dims["lm_head_bias"])
        if dims["tied"]:
            self.tie("lm_head.weight", "embed.weight")

    def hidden(self, trace: Trace, batch: int, length: int, past: int = 0) -> Array:
        """Final hidden states of `length` tokens after `past` others, (B, T, d_model)."""
        span = Span(trace, length, past, rotary=self.rotated, window=self.window)
        x = self.embed(trace.given(batch, length, dtype="int64"))
        if self.scaled:
            x = x * 1.0
        if "pos_embed" in self.children:
            x = x + self.pos_embed(trace.given(length, dtype="int64"))
        if "embed_norm" in self.children:
            x = self.embed_norm(x)
        for block in self.blocks.each(trace):
            x = block(x, span)
        return self.norm(x) if "norm" in self.children else x
