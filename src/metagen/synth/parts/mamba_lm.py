"""The state-space language model and its block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .base import Embedding, Linear, Part, Repeat
from .decoder_lm import LanguageModel
from .mamba import Mamba, Mamba2
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


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

    def forward(self, x: Array) -> Array:
        """(B, T, d_model) -> the same."""
        return x + self.mixer(self.norm(x))


class MambaLM(LanguageModel):
    """Embedding, `n_layers` blocks, final norm, output head; tied heads alias the embedding."""

    prompt_chunk = 256  # a scan holds every state of them

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.embed = Embedding(dims["vocab_size"], dims["d_model"])
        self.blocks = Repeat(SSMBlock(dims), dims["n_layers"])
        if dims["final_norm"]:
            self.norm = Norm(dims["d_model"])
        self.lm_head = Linear(dims["d_model"], dims["vocab_size"])
        if dims["tied"]:
            self.tie("lm_head.weight", "embed.weight")

    def hidden(self, trace: Trace, batch: int, length: int, past: int = 0) -> Array:
        """Final hidden states, (B, T, d_model); the past is a state, whatever its length."""
        x = self.embed(trace.given(batch, length, dtype="int64"))
        for block in self.blocks.each(trace):
            x = block(x)
        return self.norm(x) if "norm" in self.children else x
