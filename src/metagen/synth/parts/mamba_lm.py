"""The state-space language model and its block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Embedding, Linear, Part, Repeat
from .mamba import Mamba, Mamba2
from .norms import Norm


def mixer(dims: Mapping[str, Any]) -> Mamba | Mamba2:
    """The state-space mixer that the dimensions describe."""
    sizes = (dims["d_model"], dims["d_inner"], dims["d_state"], dims["d_conv"])
    biases = {"conv_bias": dims["conv_bias"], "proj_bias": dims["proj_bias"]}
    if dims["ssm"] == "mamba2":
        heads = dims["n_heads"], dims["n_groups"]
        return Mamba2(*sizes, *heads, gated_norm=dims["gated_norm"], **biases)
    return Mamba(*sizes, dims["dt_rank"], dt_b_c_norms=dims["dt_b_c_norms"], **biases)


class SSMBlock(Part):
    """One layer: a norm and a mixer."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.norm = Norm(dims["d_model"])
        self.mixer = mixer(dims)


class MambaLM(Part):
    """Embedding, `n_layers` blocks, final norm, output head; tied heads alias the embedding."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.embed = Embedding(dims["vocab_size"], dims["d_model"])
        self.blocks = Repeat(SSMBlock(dims), dims["n_layers"])
        if dims["final_norm"]:
            self.norm = Norm(dims["d_model"])
        self.lm_head = Linear(dims["d_model"], dims["vocab_size"])
        if dims["tied"]:
            self.tie("lm_head.weight", "embed.weight")
