"""Forecasters of series: patches through attention and MLP, or through state-space mixers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log10
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, choice, number, text
from ..parts.base import Part
from ..parts.forecasting import (
    QUANTILES,
    Forecaster,
    patch_count,
)
from ..parts.mamba_lm import SSMBlock
from ..solver import Frame, Shape, best_shapes, interpolate
from .base import Node, short_run
from .mamba_lm import ASPECT as SSM_ASPECT
from .mamba_lm import SSM_TABLE, MambaTopology
from .series import BLOCKS, SERIES, SeriesTopology
from .stack import STACK_NODES

#: What a forecaster answers, and from what.
ANSWERS: Mapping[str, Dim] = {
    "horizon": number(96, "steps that are forecast", high=10**5),
    "answer": choice("quantiles", "deciles of every step by quantile loss, or one point by squared "
                     "error", "quantiles", "point"),
    "pool": choice(None, "what the head reads: every patch, their mean, or the last; by default "
                   "what the budget allows", "flatten", "mean", "last"),
}  # fmt: skip

FORECAST_SETTINGS: Mapping[str, Dim] = {
    "data": text("CSV with a column per variable; empty: built-in series and airline passengers"),
    "season": number(1, "steps of a season of --data; 1: found by autocorrelation"),
}

#: Share of a budget that a head of all patches may take.
HEAD_SHARE = 0.25

#: (log10 of the budget, log10 of the usual width), for what a head would take of it.
WIDTHS = ((5, 1.6), (6.7, 2.2), (8, 2.9), (9, 3.2), (12, 4.2))


class PatchForecaster(SeriesTopology):
    """Patches, attention and MLP, and all quantiles of all steps at once."""

    id = "patch_forecaster"
    phrase = "patch transformer forecaster"
    objective = "quantile loss of what follows"
    covers = {
        "inputs": frozenset({"time_series"}),
        "outputs": frozenset({"time_series", "value"}),
        "objective": frozenset({"regression"}),
        "task": frozenset({"forecasting"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "forecasting: the answer is what follows"
    table = SERIES | ANSWERS | BLOCKS
    top = "forecaster"
    exports = ("Forecaster", "build_model")
    programs = ("common", "held_out", "series", "forecasting")
    settings = FORECAST_SETTINGS
    shown = SeriesTopology.shown | {"horizon": "Horizon"}
    nodes = (
        Node("values", "input"),
        Node("patches", "standardised patches"),
        Node("embed", "patch embedding", ("positions", "embed")),
        *STACK_NODES,
        Node("head", "forecasting head", ("head",)),
        Node("loss", "quantile loss"),
    )

    def given(self, spec: Any) -> dict[str, Any]:
        asked = super().given(spec)
        if "value" in spec.modality.outputs and "time_series" not in spec.modality.outputs:
            asked.setdefault("horizon", 1)  # the next value
        return asked

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        if dims["pool"] is None:
            dims["pool"] = self.pool(budget, dims)
        return dims

    def pool(self, budget: float, dims: Mapping[str, Any]) -> str:
        """What a head reads by default: every patch, where that leaves room for blocks."""
        width = dims["d_model"] or max(32, 10 ** interpolate(WIDTHS, log10(max(budget, 1e5))))
        each = QUANTILES if dims["answer"] == "quantiles" else 1
        head = patch_count(dims) * width * dims["horizon"] * each
        return "flatten" if head <= HEAD_SHARE * budget else "last"

    def build(self, dims: Mapping[str, Any]) -> Forecaster:
        return Forecaster(dims)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return (
            self.tiny_series(dims, 48, 8)
            | self.tiny_stack(dims)
            | {
                "horizon": min(12, dims["horizon"]),
                **short_run(steps=1200, batch=32, learning_rate=0.003, warmup=30),
                "eval_interval": 250,
                "eval_samples": 256,
                "checkpoint_interval": 250,
            }
        )

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        each = QUANTILES if dims["answer"] == "quantiles" else 1
        answers = ["batch", dims["horizon"], dims["num_variables"], each]
        return super().node_shapes(dims) | {"head": answers}

    def kind_of(self, node: Node, dims: Mapping[str, Any]) -> str:
        points = node.id == "loss" and dims["answer"] == "point"
        return "squared error" if points else node.kind

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["answer"] == "quantiles":
            yield "Quantiles", "the deciles: one point is forecast", {"answer": "point"}
        if dims["pool"] == "flatten":
            yield "Head", "the patches: the head reads their mean", {"pool": "mean"}


class StateSpaceForecaster(PatchForecaster):
    """Patches, blocks of a norm and a state-space mixer, and all quantiles of all steps at once."""

    id = "state_space_forecaster"
    phrase = "state-space forecaster"
    covers = {**PatchForecaster.covers, "family": frozenset({"mamba", "hybrid"})}
    table = SERIES | ANSWERS | {
        "d_model": BLOCKS["d_model"],
        "n_layers": BLOCKS["n_layers"],
        "ssm": choice("mamba", "state-space mixer", "mamba", "mamba2"),
        **SSM_TABLE,
        **{name: MambaTopology.table[name]
           for name in ("n_heads", "head_dim", "n_groups", "gated_norm", "norm_eps")},
        "pool": choice("last", "what the head reads: every patch, their mean, or the last",
                       "flatten", "mean", "last"),
    }  # fmt: skip
    aliases = SeriesTopology.aliases | {"state_size": "d_state", "conv_kernel": "d_conv"}
    floor = MambaTopology.floor
    learning_rate = 1e-3
    learning_rate_source = "custom"
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "d_inner": "Mixer channels",
        "d_state": "State per channel",
        "patch_length": "Patch length",
        "lookback": "Look-back",
        "horizon": "Horizon",
    }
    nodes = (
        Node("values", "input"),
        Node("patches", "standardised patches"),
        Node("embed", "patch embedding", ("embed",)),
        Node("mixer", "selective state-space mixer", ("blocks.mixer",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("head", "forecasting head", ("head",)),
        Node("loss", "quantile loss"),
    )

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        return super().contradictions(pins) or MambaTopology().contradictions(pins)

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        named = any(frame.pins.get(n) for n in ("n_heads", "head_dim", "n_groups", "gated_norm"))
        if named and "ssm" not in frame.pins:
            dims["ssm"] = "mamba2"
        second = dims["ssm"] == "mamba2"
        dims["d_state"] = dims["d_state"] or (64 if second else 16)
        if dims["gated_norm"] is None:
            dims["gated_norm"] = second
        return dims | {"pos": "none"}

    def block(self, dims: Mapping[str, Any]) -> Part:
        return SSMBlock(dims)

    def aspect(self, budget: float) -> float:
        return interpolate(SSM_ASPECT, log10(max(budget, 1e5)))

    _search = MambaTopology._search

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Depth and width fill the budget: there is no MLP to widen."""
        return best_shapes(lambda cap: self._search(cap, frame), budget, bool(frame.pins))

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        own = {"backbone": "state_space", "scans": True, "final_norm": True, "pos": "none"}
        return super().switches(dims) | own | {"norm": "rmsnorm"}

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        second = dims["ssm"] == "mamba2"
        present = {"dt_rank": not second, "n_heads": second, "n_groups": second, "head_dim": False}
        return {d: name for d, name in super().fields(dims).items() if present.get(d, True)}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().tiny(dims) | {"steps": 800}

    def tiny_stack(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        small = {
            "d_model": min(40, dims["d_model"]),
            "n_layers": min(2, dims["n_layers"]),
            "d_inner": min(80, dims["d_inner"]),
            "d_state": min(8, dims["d_state"]),
            "dt_rank": min(4, dims["dt_rank"]),
        }
        if dims["ssm"] == "mamba2":
            heads, groups = min(4, dims["n_heads"]), dims["n_groups"]
            small |= {
                "d_inner": heads * min(20, dims["head_dim"]),
                "n_heads": heads,
                "n_groups": max(g for g in (1, 2, 3, 4) if heads % g == 0 and g <= groups),
            }
        return small

    def kind_of(self, node: Node, dims: Mapping[str, Any]) -> str:
        if node.id == "mixer" and dims["ssm"] == "mamba2":
            return "state-space-duality mixer"
        return super().kind_of(node, dims)

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["d_state"] > 1:
            half = dims["d_state"] // 2
            yield "State", f"half of the state: {half} features a channel", {"d_state": half}
