"""Models of series: patches of every variable, blocks that read them, and a head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Flops, Linear, Part, Repeat
from .convolution import BatchNorm2d
from .mamba_lm import SSMBlock
from .mlp import MLP
from .norms import Norm
from .vision import VitAttention

#: Levels that a probabilistic forecaster answers with: the deciles.
QUANTILES = 9

#: Passes in which a detector hides every patch once.
ROUNDS = 4


def feature_norm(dims: Mapping[str, Any]) -> Part:
    """A norm of features: over each patch, or over all patches of a batch."""
    if dims["norm"] == "batchnorm":
        return BatchNorm2d(dims["d_model"])
    return Norm(dims["d_model"], "layernorm", True)


class SeriesBlock(Part):
    """One layer of a patch transformer (Nie et al., 2023)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["d_model"]
        self.attn_norm = feature_norm(dims)
        self.attn = VitAttention(width, dims["n_heads"], dims["head_dim"])
        self.mlp_norm = feature_norm(dims)
        self.mlp = MLP(width, dims["d_ff"], gated=False, bias=True)


class SeriesModel(Part):
    """Patches of each variable, positions, `n_layers` blocks, and a head of `answers` numbers."""

    def __init__(self, dims: Mapping[str, Any], answers: int, *, masked: bool = False) -> None:
        super().__init__()
        width = dims["d_model"]
        self.variables, self.patches = dims["num_variables"], patch_count(dims)
        if dims["pos"] != "none":
            learned = dims["pos"] == "learned"
            self.parameter("positions", self.patches, width, trainable=learned)
        if masked:
            self.parameter("mask_token", width)
        self.embed = Linear(dims["patch_length"], width, True)
        if "ssm" in dims:
            self.blocks = Repeat(SSMBlock(dims), dims["n_layers"])
            self.norm = Norm(width)
        else:
            self.blocks = Repeat(SeriesBlock(dims), dims["n_layers"])
            if dims["final_norm"]:
                self.norm = Norm(width, "layernorm", True)
        read = self.patches if dims.get("pool") == "flatten" else 1
        self.head = Linear(read * width, answers, True)

    def heads(self, batch: int) -> tuple[int, int]:
        """How many sequences, of how many vectors, the head reads."""
        return batch * self.variables, 1

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of `batch` samples; the look-back says how many patches they have."""
        parts = (self.embed, self.blocks)
        inside = (p.flops(batch * self.variables, self.patches) for p in parts)
        return sum(inside, self.head.flops(*self.heads(batch)))

    def state_elements(self, length: int) -> int:
        """None: the past is read afresh for every answer."""
        return 0


class Forecaster(SeriesModel):
    """All steps of the future at once: a number each, or deciles of it."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        each = QUANTILES if dims["answer"] == "quantiles" else 1
        super().__init__(dims, dims["horizon"] * each)


class SeriesDetector(SeriesModel):
    """Every patch restored from those around it."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(dims, dims["patch_length"], masked=True)

    def heads(self, batch: int) -> tuple[int, int]:
        return batch * self.variables, self.patches


class SeriesClassifier(SeriesModel):
    """One label for the mean of all patches of all variables."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(dims, dims["num_classes"])

    def heads(self, batch: int) -> tuple[int, int]:
        return batch, 1


def patch_count(dims: Mapping[str, Any]) -> int:
    """Patches of a series of `lookback` steps."""
    return (dims["lookback"] - dims["patch_length"]) // dims["patch_stride"] + 1
