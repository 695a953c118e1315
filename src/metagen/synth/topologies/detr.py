"""The detection transformer: a set of boxes, or of masks, from queries to a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log2
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, broken_rules, flag, number, real, several, text
from ..parts.base import Part
from ..parts.detr import Bottleneck, DecoderLayer, Detr, EncoderLayer
from ..solver import MANY, Frame, Shape, at, best_shapes, quadratic
from .base import Node, Topology
from .vit import picture_dims

TABLE: Mapping[str, Dim] = {
    "image_size": number(800, "side of a picture, in pixels", low=8, high=16_384),
    "channels": number(3, "channels of a picture", high=1024),
    "num_classes": number(91, 'classes of an object; "no object" is one more'),
    "num_queries": number(100, "objects that can be found in a picture", high=2**16),
    "stem_dim": number(None, "width of the backbone's first convolution"),
    "hidden_sizes": several(None, "width of each stage of the backbone", 4, low=4),
    "depths": several(None, "residual layers of each stage", 4, high=512),
    "d_model": number(None, "width of the transformer, a multiple of 4", low=4, high=2**18),
    "encoder_layers": number(None, "layers over the positions of the last stage", high=2048),
    "decoder_layers": number(None, "layers over the queries", high=2048),
    "n_heads": number(None, "attention heads", high=4096),
    "d_ff": number(None, "hidden width of the MLPs", high=2**20),
    "norm_eps": real(1e-5, "epsilon of the LayerNorms", low=1e-12, high=1.0),
    "no_object_weight": real(
        0.1, "weight in the loss of queries that find nothing, which are many", high=1.0
    ),
    "masks": flag(False, "whether every query has a mask besides its box"),
}

#: The fields of `Config` that pictures with objects need.
SETTINGS: Mapping[str, Dim] = {
    "data": text("COCO json beside images/, or folder with images/ and masks/; empty: built in")
}

#: Widths of the backbone's stages in units of the first.
WIDTHS = (1, 2, 4, 8)

#: (backbone depths, layers of encoder and decoder) in order of size: ResNet-50, -101 and -152.
PATTERNS = (
    ((1, 1, 1, 1), 1), ((1, 1, 1, 1), 2), ((2, 2, 2, 2), 2), ((2, 2, 2, 2), 3),
    ((3, 4, 6, 3), 3), ((3, 4, 6, 3), 6), ((3, 4, 23, 3), 6), ((3, 8, 36, 3), 6),
    ((3, 8, 36, 3), 12), ((3, 8, 36, 3), 24),
)  # fmt: skip
PUBLISHED_PATTERN = 5  # DETR-R50


class DetrTopology(Topology):
    """Residual backbone, encoder over its positions, decoder over queries, heads per query."""

    id = "detr"
    phrase = "detection transformer"
    objective = "set prediction by bipartite matching"
    covers = {
        "inputs": frozenset({"image"}),
        "outputs": frozenset({"bounding_boxes"}),
        "objective": frozenset({"detection"}),
        "task": frozenset({"object_detection"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "object detection: a set of boxes with a class each"
    unit = "image"
    rate_unit = "img/s"
    table = TABLE
    aliases = {
        "num_channels": "channels", "in_channels": "channels", "num_labels": "num_classes",
        "embedding_size": "stem_dim", "encoder_attention_heads": "n_heads",
        "decoder_attention_heads": "n_heads", "encoder_ffn_dim": "d_ff",
        "decoder_ffn_dim": "d_ff", "eos_coefficient": "no_object_weight",
    }  # fmt: skip
    floor = {"stem_dim": 4, "hidden_sizes": [16, 32, 64, 128], "depths": [1, 1, 1, 1],
             "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "n_heads": 1,
             "d_ff": 32}  # fmt: skip
    top = "detr"
    exports = ("Detr", "build_model")
    programs = ("common", "images", "scenes", "detection")
    settings = SETTINGS
    shown = {
        "d_model": "Width",
        "encoder_layers": "Encoder layers",
        "decoder_layers": "Decoder layers",
        "n_heads": "Heads",
        "d_ff": "Feed-forward width",
        "num_queries": "Queries",
        "image_size": "Image side",
    }
    nodes = (
        Node("image", "input"),
        Node("stem", "residual backbone", ("backbone", "input_proj")),
        Node("attention", "encoder over positions", ("encoder",)),
        Node("decoder", "decoder over queries", ("decoder", "query_embed", "norm")),
        Node("head", "class and box heads", ("class_head", "box_head", "mask_head")),
        Node("loss", "set loss"),
    )
    batch = 64  # Carion et al., 2020, section 4
    most_units_per_param = 2.0
    masked = False

    def given(self, spec: Any) -> dict[str, Any]:
        return picture_dims(spec) | {"masks": self.masked}

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        get = pins.get
        widths, depths = get("hidden_sizes"), get("depths")
        lists = {"hidden_sizes": widths, "depths": depths}
        rules = [
            (name, value and not (isinstance(value, list | tuple) and len(value) == len(WIDTHS)),
             f"{value!r} is not one number per stage", "4 whole numbers")
            for name, value in lists.items()
        ]  # fmt: skip
        heads, width = get("n_heads"), get("d_model")
        rules += [
            ("n_heads", heads and width and width % heads,
             f"{heads} does not divide d_model ({width})", None),
            ("d_model", width and width % 4, f"{width} is not a multiple of 4", None),
            ("masks", get("masks", self.masked) != self.masked,
             f"{get('masks')} does not fit the task", str(self.masked).lower()),
        ]  # fmt: skip
        return broken_rules(rules)

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame) | {"masks": self.masked}
        lists = {name: list(dims[name]) for name in ("hidden_sizes", "depths") if dims[name]}
        return dims | lists

    def build(self, dims: Mapping[str, Any]) -> Part:
        return Detr(dims)

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Backbone and transformer grow together; the width of the MLPs fills the budget."""
        return best_shapes(lambda cap: self._search(cap, frame), budget, bool(frame.pins))

    def _search(self, budget: float, frame: Frame) -> Iterator[Shape]:
        base, pins = self.base(budget, frame), frame.pins
        for unit in (256,) if "hidden_sizes" in pins else units(budget):
            widths = list(pins.get("hidden_sizes", [unit * w for w in WIDTHS]))
            stem = pins.get("stem_dim", max(4, widths[0] // 4))
            for rank, (depths, layers) in enumerate(PATTERNS):
                if abs(rank - customary_rank(budget)) > 2.5:
                    continue
                backbone = {"hidden_sizes": widths, "stem_dim": stem,
                            "depths": list(pins.get("depths", depths))}  # fmt: skip
                stacks = {
                    "encoder_layers": pins.get("encoder_layers", layers),
                    "decoder_layers": pins.get("decoder_layers", layers),
                }
                for d_model in transformer_widths(widths[0], pins):
                    dims = base | backbone | stacks
                    dims |= {"d_model": d_model, "n_heads": pins.get("n_heads", heads(d_model))}
                    yield self._filled(budget, dims, frame, rank)
                if {"depths", "encoder_layers", "decoder_layers"} <= pins.keys():
                    break

    def _filled(self, budget: float, dims: dict[str, Any], frame: Frame, rank: int) -> Shape:
        """The candidate whose MLPs are as wide as the budget allows, within reason."""
        outside = self._outside(dims, frame)
        width = dims["d_model"]
        each = {}
        for name, layer in (("encoder_layers", EncoderLayer), ("decoder_layers", DecoderLayer)):
            key = (name, width)
            if key not in frame.counts:
                narrow, wide = (layer({**dims, "d_ff": d}, 1).count() for d in (1, 2))
                frame.counts[key] = (2 * narrow - wide, wide - narrow)
            each[name] = frame.counts[key]
        fixed = outside + sum(dims[name] * cost[0] for name, cost in each.items())
        per_unit = sum(dims[name] * cost[1] for name, cost in each.items())
        grid = 8 if width < 64 else 32 if width < 512 else 128
        wanted = int(max(0.0, budget - fixed) / per_unit) // grid * grid
        d_ff = frame.pins.get("d_ff") or min(max(grid, wanted), 20 * width // grid * grid)
        params = fixed + per_unit * d_ff
        score = distance(dims, d_ff, rank, params)
        score += 4 * max(0.0, 1 - params / budget) if budget else 0.0
        return Shape(dims, (("d_ff", d_ff),), params, score)

    def _outside(self, dims: Mapping[str, Any], frame: Frame) -> int:
        """Parameters outside encoder and decoder: the backbone, and what joins it to queries.

        They are a polynomial of the transformer's width, read off a model `MANY` wide.
        """
        widths = dims["hidden_sizes"]
        key = ("outside", *widths, dims["stem_dim"])
        if key not in frame.counts:
            empty = {"image_size": 64, "encoder_layers": 0, "decoder_layers": 0, "d_ff": 1}
            shallow = {**dims, **empty, "depths": [1] * len(widths), "d_model": MANY, "n_heads": 1}
            frame.counts[key] = (Detr(shallow).count(), 0)
        deep = 0
        for width, depth in zip(widths, dims["depths"], strict=True):
            if ("block", width) not in frame.counts:
                frame.counts["block", width] = (Bottleneck(width, width, 1, (8, 8)).count(), 0)
            deep += (depth - 1) * frame.counts["block", width][0]
        return at(quadratic(frame.counts[key][0]), dims["d_model"]) + deep

    def length(self, dims: Mapping[str, Any]) -> int:
        """Heads and decoder read one position for each query."""
        return dims["num_queries"]

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        mlp = {"mlp": "plain", "activation": "relu", "mlp_bias": True}
        return super().switches(dims) | mlp | {"staged": False}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        widths = [min(a, b) for a, b in zip(dims["hidden_sizes"], (64, 128), strict=False)]
        width = min(64, dims["d_model"])
        return {
            "image_size": min(48, dims["image_size"]),
            "num_classes": min(5, dims["num_classes"]),
            "num_queries": min(8, dims["num_queries"]),
            "stem_dim": min(32, dims["stem_dim"]),
            "hidden_sizes": tuple(widths),
            "depths": (1, 1),
            "d_model": width,
            "encoder_layers": 1,
            "decoder_layers": min(2, dims["decoder_layers"]),
            "n_heads": max(h for h in (1, 2, 4) if width % h == 0 and h <= dims["n_heads"]),
            "d_ff": min(128, dims["d_ff"]),
            "steps": 1200,
            "learning_rate": 0.001,
            "min_learning_rate": 0.00005,
            "weight_decay": 0.0001,
            "eval_interval": 400,
            "checkpoint_interval": 400,
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        side = dims["image_size"]
        found = ["batch", dims["num_queries"], dims["d_model"]]
        last = -(-side // 2 ** (len(dims["depths"]) + 1))
        return {
            "image": ["batch", dims["channels"], side, side],
            "stem": ["batch", last * last, dims["d_model"]],
            "attention": ["batch", last * last, dims["d_model"]],
            "decoder": found,
            "head": ["batch", dims["num_queries"], dims["num_classes"] + 1 + 4],
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for name in ("encoder", "decoder"):
            if (layers := dims[f"{name}_layers"]) > 1:
                removed = f"half of the {name}: {layers // 2} layers remain"
                yield name.capitalize(), removed, {f"{name}_layers": layers // 2}
        if dims["num_queries"] > 1:
            half = dims["num_queries"] // 2
            yield "Queries", f"half of the queries: {half} remain", {"num_queries": half}


class InstanceTopology(DetrTopology):
    """The detection transformer with a mask for every query (Cheng et al., 2021)."""

    id = "detr_masks"
    phrase = "instance-segmentation transformer"
    objective = "set prediction of masks by bipartite matching"
    covers = DetrTopology.covers | {
        "outputs": frozenset({"segmentation_mask", "bounding_boxes"}),
        "objective": frozenset({"segmentation", "detection"}),
        "task": frozenset({"instance_segmentation"}),
    }
    served_as = "instance segmentation: a set of masks with a class each"
    programs = ("common", "images", "scenes", "detection", "instances")
    masked = True

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        shorter = {"steps": 900, "eval_interval": 300, "checkpoint_interval": 300}
        return super().tiny(dims) | {"no_object_weight": 0.4} | shorter


def units(budget: float) -> list[int]:
    """Candidate widths of the first stage: multiples of 16 to 256, of 64 and 256 beyond."""
    grid = [*range(16, 128, 16), *range(128, 512, 32), *range(512, 4096, 128),
            *range(4096, 2**17, 512)]  # fmt: skip
    near = [unit for unit in grid if budget / 30 <= 620 * unit**2 and 100 * unit**2 <= budget * 1.5]
    return near[:: 1 + len(near) // 30] or [16]


def transformer_widths(unit: int, pins: Mapping[str, Any]) -> list[int]:
    """Widths near the backbone's first stage, as DETR-R50 has it."""
    if "d_model" in pins:
        return [pins["d_model"]]
    step = pins.get("n_heads", 1) * 4 if "n_heads" in pins else 32 if unit >= 64 else 8
    ratios = (0.5, 0.75, 1.0, 1.25, 1.5)
    return sorted({max(step, round(unit * ratio / step) * step) for ratio in ratios})


def heads(d_model: int) -> int:
    """Heads of 32 features, of 64 and 128 in wide models."""
    size = 32 if d_model < 1024 else 64 if d_model < 4096 else 128
    return d_model // size if d_model % size == 0 else 1


def customary_rank(params: float) -> float:
    """The place in `PATTERNS` that a size has, one further for about each doubling."""
    return min(9.0, max(0.0, PUBLISHED_PATTERN + 0.9 * log2(max(params, 1) / 41.5e6)))


def distance(dims: Mapping[str, Any], d_ff: int, rank: int, params: int) -> float:
    """How far a candidate is from DETR: squared octaves of its widths, and its depth's rank."""
    wanted = customary_rank(params)
    score = log2(dims["d_model"] / dims["hidden_sizes"][0]) ** 2
    score += 0.5 * log2(d_ff / dims["d_model"] / 8) ** 2 + 0.15 * (rank - wanted) ** 2
    return score + 0.1 * (dims["d_model"] % 64 != 0)
