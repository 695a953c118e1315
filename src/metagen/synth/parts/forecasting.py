"""Models of series: patches of every variable, blocks that read them, and a head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .base import Flops, Linear, Part, Repeat
from .convolution import BatchNorm2d
from .mamba_lm import SSMBlock
from .mlp import MLP
from .norms import Norm
from .vision import VitAttention

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace

#: Levels that a probabilistic forecaster answers with: the deciles.
QUANTILES = 9

#: Passes in which a detector hides every patch once.
ROUNDS = 4


class BatchNorm(BatchNorm2d):
    """Batch normalisation of features, over all patches of all series."""

    def forward(self, x: Array) -> Array:
        """(B, N, D) -> the same."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


def feature_norm(dims: Mapping[str, Any]) -> Part:
    """A norm of features: over each patch, or over all patches of a batch."""
    if dims["norm"] == "batchnorm":
        return BatchNorm(dims["d_model"])
    return Norm(dims["d_model"], "layernorm", True)


class SeriesBlock(Part):
    """One layer of a patch transformer (Nie et al., 2023)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, self.pre_norm = dims["d_model"], dims["pre_norm"]
        self.attn_norm = feature_norm(dims)
        self.attn = VitAttention(width, dims["n_heads"], dims["head_dim"])
        self.mlp_norm = feature_norm(dims)
        self.mlp = MLP(width, dims["d_ff"], gated=False, bias=True, activation=dims["activation"])

    def forward(self, x: Array) -> Array:
        """(B, N, D) -> the same."""
        if self.pre_norm:
            x = x + self.attn(self.attn_norm(x))
            return x + self.mlp(self.mlp_norm(x))
        x = self.attn_norm(x + self.attn(x))
        return self.mlp_norm(x + self.mlp(x))


class SeriesModel(Part, ABC):
    """Patches of each variable, positions, `n_layers` blocks, and a head of `answers` numbers."""

    def __init__(self, dims: Mapping[str, Any], answers: int, *, masked: bool = False) -> None:
        super().__init__()
        width = dims["d_model"]
        self.variables, self.patches = dims["num_variables"], patch_count(dims)
        self.lookback, self.patch_length = dims["lookback"], dims["patch_length"]
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

    def standardise(self, values: Array, known: Array) -> tuple[Array, Array, Array]:
        """Standardised values (B, T, M), their means and deviations, (B, 1, M) each."""
        trace = values.trace
        values = trace.compute((known, values), values.shape)
        count, centre = (values.sum(1, keepdim=True) for _ in range(2))
        apart = trace.compute((known, values - centre), values.shape)
        scale = (apart.apply("pow").sum(1, keepdim=True) / count).apply("sqrt")
        return apart / scale, centre, scale

    def windows(self, values: Array) -> Array:
        """The patches as a view, (B, T, M) -> (B, M, N, P)."""
        return values.expand(values.shape[0], self.variables, self.patches, self.patch_length)

    def embedded(self, values: Array) -> Array:
        """Vectors of the patches of standardised values, (B, T, M) -> (B, M, N, D)."""
        trace, windows = values.trace, self.windows(values)
        x = trace.lowered(windows.to(trace.weights))
        return self.embed(x.copy() if x.storage is values.storage else x)

    def read(self, x: Array) -> Array:
        """Patches that know of each other, (B, M, N, D) -> the same."""
        trace, shape = x.trace, x.shape
        if "positions" in self.tensors:
            x = x + trace.weight(self, "positions")
        x = x.flatten(0, 1)
        for block in self.blocks.each(trace):
            x = block(x)
        if "norm" in self.children:
            x = self.norm(x)
        return x.view(*shape)

    @abstractmethod
    def forward(self, values: Array, known: Array) -> Array:
        """The answer to values (B, T, M), of which some are known."""

    def given(self, trace: Trace, batch: int) -> tuple[Array, Array]:
        """Values and which are known, (B, T, M) each."""
        shape = (batch, self.lookback, self.variables)
        return trace.given(*shape), trace.given(*shape, dtype="bool")

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """The answer to `batch` series, which are there first."""
        shape = (batch, self.lookback, self.variables)
        self(trace.new(shape, "fp32"), trace.new(shape, "bool"))


class Forecaster(SeriesModel):
    """All steps of the future at once: a number each, or deciles of it."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        self.each = QUANTILES if dims["answer"] == "quantiles" else 1
        super().__init__(dims, dims["horizon"] * self.each)
        self.pool = dims["pool"]

    def answers(self, values: Array, known: Array) -> tuple[Array, Array, Array]:
        """Standardised forecasts (B, H, M, Q), and the past's mean and deviation, (B, 1, M, 1)."""
        values, centre, scale = self.standardise(values, known)
        x = self.read(self.embedded(values))
        if self.pool == "flatten":
            x = x.flatten(2)
        else:
            x = x.mean(2) if self.pool == "mean" else x.select(2)
        x = self.head(x).float().unflatten(2, (-1, self.each)).transpose(1, 2)
        if self.each > 1:
            places = x.trace.new(x.shape, "int64")
            x = x.trace.compute((x,), x.shape)
            x.trace.keep(places)
        return x, centre.unsqueeze(-1), scale.unsqueeze(-1)

    def forward(self, values: Array, known: Array) -> Array:
        """Forecasts, (B, H, M, Q)."""
        x, centre, scale = self.answers(values, known)
        return x * scale + centre

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` samples."""
        x, centre, scale = self.answers(*self.given(trace, batch))
        future = (trace.given(*x.shape[:-1], 1) - centre) / scale
        errors = future - x
        if self.each > 1:
            level = trace.new((self.each,), "fp32")
            sides = level * errors, (level - 1.0) * errors
            for side in sides:
                trace.keep(side)
            errors = trace.compute(sides, x.shape).mean(-1) * 2.0
            del sides, side
        else:
            errors = errors.apply("pow").squeeze(-1)
        counted = trace.new(errors.shape, "fp32")
        (errors * counted).sum(1, 2) / counted.sum(1, 2)


class SeriesDetector(SeriesModel):
    """Every patch restored from those around it."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(dims, dims["patch_length"], masked=True)

    def restore(self, values: Array) -> Array:
        """Every patch as its surroundings suggest it, (B, T, M) -> (B, M, N, P)."""
        trace, x = values.trace, self.embedded(values)
        x = trace.compute((x, trace.weight(self, "mask_token")), x.shape, "fp32")
        return self.head(self.read(x)).float()

    def forward(self, values: Array, known: Array) -> Array:
        """The error of every value, (B, T, M), restored while its patch was hidden."""
        trace = values.trace
        scaled = self.standardise(values, known)[0]
        restored = trace.new((), "fp32")
        for _ in trace.rounds(ROUNDS):
            restored = restored + self.restore(scaled) * trace.new((1, 1, self.patches, 1), "bool")
        restored = restored.copy().view(scaled.shape[0], -1, self.variables)
        errors = (scaled.narrow(1, restored.shape[1]) - restored).apply("abs") * known.narrow(
            1, restored.shape[1]
        )
        return errors.pad(1, self.lookback - errors.shape[1])

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` windows."""
        scaled = self.standardise(*self.given(trace, batch))[0]
        errors = (self.restore(scaled) - self.windows(scaled)).apply("pow")
        counted = trace.new(errors.shape, "bool")
        (errors * counted).sum(1, 2, 3) / counted.sum(1, 2, 3)

    def heads(self, batch: int) -> tuple[int, int]:
        return batch * self.variables, self.patches


class SeriesClassifier(SeriesModel):
    """One label for the mean of all patches of all variables."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(dims, dims["num_classes"])

    def forward(self, values: Array, known: Array) -> Array:
        """Scores of the classes, (B, V)."""
        values = self.standardise(values, known)[0]
        return self.head(self.read(self.embedded(values)).mean(1, 2))

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` series."""
        self(*self.given(trace, batch)).float().cross_entropy()

    def heads(self, batch: int) -> tuple[int, int]:
        return batch, 1


def patch_count(dims: Mapping[str, Any]) -> int:
    """Patches of a series of `lookback` steps."""
    return (dims["lookback"] - dims["patch_length"]) // dims["patch_stride"] + 1
