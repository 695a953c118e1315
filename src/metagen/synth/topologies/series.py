"""What models of series share: patches of every variable, blocks over them, and a head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log10
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, choice, flag, number, real
from ..parts.base import Part
from ..parts.forecasting import (
    SeriesBlock,
    patch_count,
)
from ..solver import Frame, interpolate
from .stack import NARROW, STACK, StackTopology, tiny_stack
from .vit import ASPECT

#: Steps, variables and patches of a series.
SERIES: Mapping[str, Dim] = {
    "lookback": number(512, "steps of the past that are read", high=10**6),
    "num_variables": number(7, "variables of a sample", high=10**6),
    "patch_length": number(None, "steps of a patch", high=10**6),
    "patch_stride": number(None, "steps from one patch to the next", high=10**6),
}  # fmt: skip

#: A stack of attention and MLP over patches.
BLOCKS: Mapping[str, Dim] = {
    **STACK,
    "activation": choice("gelu", "feed-forward nonlinearity", "gelu", "gelu_tanh", "relu", "silu"),
    "norm": choice("layernorm", "normalisation layer", "layernorm", "batchnorm"),
    "pre_norm": flag(True, "normalise what a sublayer reads, and not the sum that it leaves"),
    "final_norm": flag(None, "normalise before the head; where blocks end with a sum"),
    "pos": choice("learned", "positions of patches", "learned", "sincos"),
    "norm_eps": real(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
}  # fmt: skip


class SeriesTopology(StackTopology):
    """Patches of every variable, blocks of attention and MLP, a head."""

    unit = "series"
    rate_unit = "samples/s"
    aliases = {
        "context_length": "lookback", "prediction_length": "horizon",
        "num_input_channels": "num_variables", "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads", "ffn_dim": "d_ff", "hidden_size": "d_model",
    }  # fmt: skip
    floor = {"d_model": 32, "n_layers": 1, "n_heads": 1, "head_dim": 32, "d_ff": 32}
    batch = 128  # Nie et al., 2023, appendix A.1.4
    most_units_per_param = 20.0
    learning_rate = 1e-4
    learning_rate_source = "Nie et al., 2023, appendix A.1.4"
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Attention heads",
        "d_ff": "Feed-forward width",
        "patch_length": "Patch length",
        "lookback": "Look-back",
    }
    narrow = NARROW
    #: Stride of patches of the customary length.
    overlaps = True
    masked = False

    def given(self, spec: Any) -> dict[str, Any]:
        asked = {n: getattr(spec.task, n) for n in ("lookback", "num_variables", "horizon")}
        asked["num_classes"] = spec.task.num_classes
        return {name: value for name, value in asked.items() if value and name in self.table}

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        length, lookback = pins.get("patch_length"), pins.get("lookback")
        if length and lookback and length > lookback:
            message = f"{length} is above lookback ({lookback})"
            return [Problem("architecture.dims.patch_length", message)]
        stride = pins.get("patch_stride")
        if not self.overlaps and stride and length and stride != length:
            message = f"patches of a {self.phrase} do not overlap: it must be patch_length"
            return [Problem("architecture.dims.patch_stride", message)]
        return []

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        lookback = dims["lookback"]
        if dims["patch_length"] is None:
            free = None if self.overlaps else dims["patch_stride"]
            dims["patch_length"] = min(lookback, free or patch_length(lookback))
        dims["patch_length"] = min(dims["patch_length"], lookback)
        if dims["patch_stride"] is None or not self.overlaps:
            half = max(1, dims["patch_length"] // 2)
            dims["patch_stride"] = half if self.overlaps else dims["patch_length"]
        if dims.get("final_norm", True) is None:
            dims["final_norm"] = dims["pre_norm"]
        return dims

    def block(self, dims: Mapping[str, Any]) -> Part:
        return SeriesBlock(dims)

    def aspect(self, budget: float) -> float:
        return interpolate(ASPECT, log10(max(budget, 1e5)))

    def ff_ratio(self, dims: Mapping[str, Any]) -> float:
        return 2.0 if dims["d_model"] <= 128 else 4.0  # Nie et al., 2023, appendix A.1.4

    # -- costs --------------------------------------------------------------------------------

    def length(self, dims: Mapping[str, Any]) -> int:
        return dims["lookback"]

    # -- code and documents -------------------------------------------------------------------

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        own = {"backbone": "transformer", "mlp": "plain", "mlp_bias": True, "attn_qkv_bias": True}
        return super().switches(dims) | own | {"masked": self.masked}

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        return {name: name for name in super().fields(dims) if name in dims}

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        # batch statistics depend on the micro-batch
        return ("accumulation",) if switches["norm"] == "batchnorm" else ()

    def tiny_series(self, dims: Mapping[str, Any], lookback: int, patch: int) -> dict[str, Any]:
        """Steps and patches of the tiny preset, never above the full ones."""
        lookback, patch = min(lookback, dims["lookback"]), min(patch, dims["patch_length"])
        patch = min(patch, lookback)
        stride = max(1, patch // 2) if self.overlaps else patch
        return {
            "lookback": lookback,
            "num_variables": min(2, dims["num_variables"]),
            "patch_length": patch,
            "patch_stride": min(stride, dims["patch_stride"]) if self.overlaps else stride,
        }

    def tiny_stack(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        """Widths and depth of the tiny preset."""
        return {
            **tiny_stack(dims, n_layers=2, d_ff=128),
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        variables, patches = dims["num_variables"], patch_count(dims)
        inside = ["batch", variables, patches, dims["d_model"]]
        shapes = {node.id: inside for node in self.nodes}
        shapes["patches"] = ["batch", variables, patches, dims["patch_length"]]
        return shapes | {"values": ["batch", dims["lookback"], variables], "loss": []}

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if self.overlaps and dims["patch_stride"] < dims["patch_length"] <= dims["lookback"] // 2:
            removed = "the overlap of patches"
            yield "Overlap", removed, {"patch_stride": dims["patch_length"]}
        if dims.get("d_ff", 0) > 64:
            half = dims["d_ff"] // 2
            yield "Feed-forward width", f"half of it: {half} remain", {"d_ff": half}


def patch_length(lookback: int) -> int:
    """Steps of a patch: 16, fewer of short series, more of those that would have above 512."""
    return max(min(16, max(1, lookback // 4)), 2 * (lookback // 512))
