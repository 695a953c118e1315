"""The decoder-only language model and its block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .attention import Attention
from .base import Embedding, Linear, Part, Repeat
from .mlp import MLP
from .moe import MixtureOfExperts
from .norms import Norm


def _norm(dims: Mapping[str, Any]) -> Norm:
    return Norm(dims["d_model"], dims["norm"], dims["norm_bias"])


def _mlp(dims: Mapping[str, Any]) -> MLP | MixtureOfExperts:
    sizes, n_experts = (dims["d_model"], dims["d_ff"]), dims["n_experts"]
    options = {"gated": dims["mlp"] == "gated", "bias": dims["mlp_bias"]}
    if n_experts:
        return MixtureOfExperts(*sizes, n_experts, dims["top_k"], **options)
    return MLP(*sizes, **options)


class Block(Part):
    """One transformer layer; `norms_per_layer` and `parallel_block` decide where norms stand."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
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


class DecoderLM(Part):
    """Embedding, `n_layers` blocks, final norm, output head; tied heads alias the embedding."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
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
