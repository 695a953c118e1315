"""Models of series: forecasters of two kinds, a detector of anomalies, and a classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log10
from typing import Any

from ...specs.errors import Problem
from .. import estimates
from ..dims import Dim, choice, flag, number, real, text
from ..parts.base import Part
from ..parts.forecasting import (
    QUANTILES,
    ROUNDS,
    Forecaster,
    SeriesBlock,
    SeriesClassifier,
    SeriesDetector,
    patch_count,
)
from ..parts.mamba_lm import SSMBlock
from ..solver import Frame, Shape, best_shapes, interpolate
from .base import Node, Work
from .mamba_lm import ASPECT as SSM_ASPECT
from .mamba_lm import SSM_TABLE, MambaTopology, mixer_bytes
from .stack import NARROW, StackTopology
from .vit import ASPECT

#: Steps, variables and patches of a series.
SERIES: Mapping[str, Dim] = {
    "lookback": number(512, "steps of the past that are read", high=10**6),
    "num_variables": number(7, "variables of a sample", high=10**6),
    "patch_length": number(None, "steps of a patch", high=10**6),
    "patch_stride": number(None, "steps from one patch to the next", high=10**6),
}  # fmt: skip

#: A stack of attention and MLP over patches.
STACK: Mapping[str, Dim] = {
    "d_model": number(None, "width of the residual stream", low=8, high=2**18),
    "n_layers": number(None, "number of blocks", high=2048),
    "n_heads": number(None, "attention heads", high=4096),
    "head_dim": number(None, "width of one attention head", low=2, high=4096),
    "d_ff": number(None, "hidden width of the MLP", high=2**20),
    "activation": choice("gelu", "feed-forward nonlinearity", "gelu", "gelu_tanh", "relu", "silu"),
    "norm": choice("layernorm", "normalisation layer", "layernorm", "batchnorm"),
    "pre_norm": flag(True, "normalise what a sublayer reads, and not the sum that it leaves"),
    "final_norm": flag(None, "normalise before the head; where blocks end with a sum"),
    "pos": choice("learned", "positions of patches", "learned", "sincos"),
    "norm_eps": real(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
}  # fmt: skip

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
        if dims.get("pool", "") is None:
            dims["pool"] = self.pool(budget, dims)
        return dims

    def pool(self, budget: float, dims: Mapping[str, Any]) -> str:
        """What a head reads by default: every patch, where that leaves room for blocks."""
        width = dims["d_model"] or max(32, 10 ** interpolate(WIDTHS, log10(max(budget, 1e5))))
        each = QUANTILES if dims["answer"] == "quantiles" else 1
        head = patch_count(dims) * width * dims["horizon"] * each
        return "flatten" if head <= HEAD_SHARE * budget else "last"

    def block(self, dims: Mapping[str, Any]) -> Part:
        return SeriesBlock(dims)

    def aspect(self, budget: float) -> float:
        return interpolate(ASPECT, log10(max(budget, 1e5)))

    def ff_ratio(self, dims: Mapping[str, Any]) -> float:
        return 2.0 if dims["d_model"] <= 128 else 4.0  # Nie et al., 2023, appendix A.1.4

    # -- costs --------------------------------------------------------------------------------

    def length(self, dims: Mapping[str, Any]) -> int:
        return dims["lookback"]

    def vectors(self, dims: Mapping[str, Any]) -> int:
        """Patches of a sample, over all its variables."""
        return dims["num_variables"] * patch_count(dims)

    def within(self, dims: Mapping[str, Any]) -> float:
        """Bytes that a patch holds within a layer: attention's inputs and output, or the MLP's."""
        attention = 4 * dims["n_heads"] * dims["head_dim"]
        return max(attention, 2 * dims["d_ff"]) * estimates.ACTIVATION_BYTES

    def activations(self, model: Part, dims: Mapping[str, Any], context: int) -> float:
        """The stream and its normalised copy beside the widest sublayer, values and answers."""
        each = 2 * dims["d_model"] * estimates.ACTIVATION_BYTES + self.within(dims)
        numbers = dims["lookback"] + model.at("head.bias").numel
        return self.vectors(dims) * each + 4 * dims["num_variables"] * numbers

    def saved_activations(
        self, dims: Mapping[str, Any], units: int, *, checkpointing: bool
    ) -> float:
        """Per layer and patch: both norms, attention's inputs and output, the MLP's vectors."""
        attention = 4 * dims["n_heads"] * dims["head_dim"]
        layer = 4 * dims["d_model"] + attention + 2 * dims["d_ff"]
        kept = self.kept(dims, layer * estimates.ACTIVATION_BYTES, checkpointing)
        return units * self.vectors(dims) * kept

    def kept(self, dims: Mapping[str, Any], layer: float, checkpointing: bool) -> float:
        """Bytes that all layers keep of a patch; with checkpointing only what blocks read."""
        stream = dims["d_model"] * estimates.ACTIVATION_BYTES
        return dims["n_layers"] * stream + layer if checkpointing else dims["n_layers"] * layer

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
            "d_model": min(64, dims["d_model"]),
            "n_layers": min(2, dims["n_layers"]),
            "n_heads": min(4, dims["n_heads"]),
            "head_dim": min(16, dims["head_dim"]),
            "d_ff": min(128, dims["d_ff"]),
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


#: (log10 of the budget, log10 of the usual width), for what a head would take of it.
WIDTHS = ((5, 1.6), (6.7, 2.2), (8, 2.9), (9, 3.2), (12, 4.2))


def patch_length(lookback: int) -> int:
    """Steps of a patch: 16, fewer of short series, more of those that would have above 512."""
    return max(min(16, max(1, lookback // 4)), 2 * (lookback // 512))


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
    table = SERIES | ANSWERS | STACK
    top = "forecaster"
    exports = ("Forecaster", "build_model")
    programs = ("common", "series", "forecasting")
    settings = FORECAST_SETTINGS
    shown = SeriesTopology.shown | {"horizon": "Horizon"}
    nodes = (
        Node("values", "input"),
        Node("patches", "standardised patches"),
        Node("embed", "patch embedding", ("positions", "embed")),
        Node("attention", "self-attention", ("blocks.attn",), repeated=True),
        Node("mlp", "feed-forward network", ("blocks.mlp",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("head", "forecasting head", ("head",)),
        Node("loss", "quantile loss"),
    )

    def given(self, spec: Any) -> dict[str, Any]:
        asked = super().given(spec)
        if "value" in spec.modality.outputs and "time_series" not in spec.modality.outputs:
            asked.setdefault("horizon", 1)  # the next value
        return asked

    def build(self, dims: Mapping[str, Any]) -> Forecaster:
        return Forecaster(dims)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return (
            self.tiny_series(dims, 48, 8)
            | self.tiny_stack(dims)
            | {
                "horizon": min(12, dims["horizon"]),
                "steps": 1200,
                "global_batch": 32,
                "micro_batch": 32,
                "learning_rate": 0.003,
                "warmup_steps": 30,
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
        "d_model": STACK["d_model"],
        "n_layers": STACK["n_layers"],
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

    def within(self, dims: Mapping[str, Any]) -> float:
        return mixer_bytes(dims)

    def saved_activations(
        self, dims: Mapping[str, Any], units: int, *, checkpointing: bool
    ) -> float:
        """The residual and its norm, and the mixer's tensors; with checkpointing block inputs."""
        layer = 2 * dims["d_model"] * estimates.ACTIVATION_BYTES + mixer_bytes(dims)
        return units * self.vectors(dims) * self.kept(dims, layer, checkpointing)

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


class SeriesDetectorTopology(SeriesTopology):
    """Patches, attention and MLP, and a head that restores hidden patches."""

    id = "series_detector"
    phrase = "patch transformer for anomalies"
    objective = "reconstruction of hidden patches"
    covers = {
        "inputs": frozenset({"time_series"}),
        "outputs": frozenset({"label", "value", "time_series"}),
        "objective": frozenset({"reconstruction"}),
        "task": frozenset({"anomaly_detection"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "anomaly detection: the answer is how badly a value fits"
    table = SERIES | STACK
    top = "series_detector"
    exports = ("SeriesDetector", "build_model")
    programs = ("common", "series", "anomalies")
    settings = {
        "data": text("CSV with a column per variable, and `label` where it is known; empty: "
                     "built-in series"),
        "hidden_share": real(0.25, "share of the patches that training hides", low=0.01, high=0.9),
        "false_alarms": real(0.01, "share of the training values that may be called anomalies",
                             low=1e-6, high=0.5),
    }  # fmt: skip
    overlaps = False
    masked = True
    nodes = (
        Node("values", "input"),
        Node("patches", "standardised patches, some of them hidden"),
        Node("embed", "patch embedding", ("positions", "mask_token", "embed")),
        Node("attention", "self-attention", ("blocks.attn",), repeated=True),
        Node("mlp", "feed-forward network", ("blocks.mlp",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("head", "patch restoration", ("head",)),
        Node("loss", "squared error of hidden patches"),
    )

    def build(self, dims: Mapping[str, Any]) -> SeriesDetector:
        return SeriesDetector(dims)

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """Every patch is hidden once, in one of several passes."""
        return Work(super().work(model, dims).flops * ROUNDS, 1, f"one series, {ROUNDS} passes")

    def training_work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        return super().work(model, dims)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return (
            self.tiny_series(dims, 64, 4)
            | self.tiny_stack(dims)
            | {
                "steps": 1200,
                "global_batch": 32,
                "micro_batch": 32,
                "learning_rate": 0.003,
                "warmup_steps": 30,
                "eval_interval": 300,
                "eval_samples": 128,
                "checkpoint_interval": 250,
            }
        )

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        shapes = super().node_shapes(dims)
        return shapes | {"head": shapes["patches"]}


class SeriesClassifierTopology(SeriesTopology):
    """Patches, attention and MLP, and a head that reads the mean of all patches."""

    id = "series_classifier"
    phrase = "patch transformer for classes of series"
    objective = "classification"
    covers = {
        "inputs": frozenset({"time_series"}),
        "outputs": frozenset({"label"}),
        "objective": frozenset({"classification"}),
        "task": frozenset({"classification"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "classification: the answer is a label"
    table = SERIES | {"num_classes": number(8, "labels to choose from", low=2, high=10**7)} | STACK
    top = "series_classifier"
    exports = ("SeriesClassifier", "build_model")
    programs = ("common", "series", "series_labels")
    settings = {
        "data": text("folder of CSV tables by class, or CSV of label,values...; empty: built in"),
    }
    nodes = (
        Node("values", "input"),
        Node("patches", "standardised patches"),
        Node("embed", "patch embedding", ("positions", "embed")),
        Node("attention", "self-attention", ("blocks.attn",), repeated=True),
        Node("mlp", "feed-forward network", ("blocks.mlp",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("head", "classification head", ("head",)),
        Node("loss", "cross-entropy over the classes"),
    )

    def build(self, dims: Mapping[str, Any]) -> SeriesClassifier:
        return SeriesClassifier(dims)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return (
            self.tiny_series(dims, 64, 8)
            | self.tiny_stack(dims)
            | {
                "num_classes": min(6, dims["num_classes"]),
                "steps": 300,
                "global_batch": 32,
                "micro_batch": 32,
                "learning_rate": 0.003,
                "warmup_steps": 30,
                "eval_interval": 150,
                "eval_samples": 128,
                "checkpoint_interval": 150,
            }
        )

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        return super().node_shapes(dims) | {"head": ["batch", dims["num_classes"]]}
