"""SegFormer: a class for every pixel, from a mix transformer and a decoder of linear layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf, log2
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, number, real, several, text
from ..parts.base import Part
from ..parts.segformer import SegFormer, Stage, Stages
from ..solver import Frame, Shape, best_shapes, required_fill
from .base import Node, Topology
from .vit import picture_dims

TABLE: Mapping[str, Dim] = {
    "image_size": number(512, "side of a picture, in pixels", low=8, high=16_384),
    "channels": number(3, "channels of a picture", high=1024),
    "num_classes": number(150, "classes of a pixel, the background included", low=2),
    "hidden_sizes": several(None, "width of each stage", 4),
    "depths": several(None, "blocks of each stage", 4, high=512),
    "stage_heads": several(None, "attention heads of each stage", 4, high=4096),
    "sr_ratios": several(
        None, "side of the squares that keys and values of each stage are made of", 4, high=64
    ),
    "mlp_ratios": several([4, 4, 4, 4], "hidden over model width of each stage's MLP", 4, high=64),
    "patch_sizes": several([7, 3, 3, 3], "side of each stage's overlapping patches", 4, high=64),
    "strides": several([4, 2, 2, 2], "distance of each stage's patches", 4, high=64),
    "decoder_dim": number(None, "width of the decoder"),
    "norm_eps": real(1e-6, "epsilon of the LayerNorms", low=1e-12, high=1.0),
}

#: The fields of `Config` that pictures with masks need.
SETTINGS: Mapping[str, Dim] = {
    "data": text("folder with images/ and masks/, or a COCO json beside images/; empty: built in")
}

#: Widths of the stages in units of the first, and their heads (Xie et al., 2021, table 6).
WIDTHS = (1, 2, 5, 8)
REDUCTIONS = (8, 4, 2, 1)

#: (blocks of the third stage, blocks of the other three): MiT-B0 ... B5.
DEPTHS = ((2, (2, 2, 2)), (6, (3, 4, 3)), (18, (3, 4, 3)), (30, (3, 8, 3)), (64, (3, 6, 3)))

LISTS = tuple(name for name, dim in TABLE.items() if dim.kind == "list")


class SegFormerTopology(Topology):
    """Four stages of reduced attention at falling resolution, all of which are decoded."""

    id = "segformer"
    phrase = "mix-transformer segmenter"
    objective = "per-pixel cross-entropy"
    covers = {
        "inputs": frozenset({"image"}),
        "outputs": frozenset({"segmentation_mask"}),
        "objective": frozenset({"segmentation"}),
        "task": frozenset({"semantic_segmentation"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "semantic segmentation: one class for every pixel"
    unit = "image"
    rate_unit = "img/s"
    table = TABLE
    aliases = {
        "num_channels": "channels", "in_channels": "channels", "num_labels": "num_classes",
        "num_attention_heads": "stage_heads", "decoder_hidden_size": "decoder_dim",
        "layer_norm_eps": "norm_eps",
    }  # fmt: skip
    floor = {"hidden_sizes": [4, 8, 20, 32], "depths": [1, 1, 1, 1], "stage_heads": [1, 2, 5, 8],
             "decoder_dim": 16}  # fmt: skip
    top = "segformer"
    exports = ("SegFormer", "build_model")
    programs = ("common", "images", "scenes", "segmentation")
    settings = SETTINGS
    shown = {
        "image_size": "Image side",
        "num_classes": "Classes",
        "decoder_dim": "Decoder width",
    }
    nodes = (
        Node("image", "input"),
        Node("stages", "mix-transformer stages", ("stages",)),
        Node("head", "all-MLP decoder", ("decoder",)),
        Node("loss", "per-pixel cross-entropy"),
    )
    batch = 16  # Xie et al., 2021, section 4.1
    most_units_per_param = 2.0

    def given(self, spec: Any) -> dict[str, Any]:
        return picture_dims(spec)

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = []
        lists = {name: pins[name] for name in LISTS if name in pins}
        for name, values in lists.items():
            if not isinstance(values, list | tuple) or len(values) != len(WIDTHS):
                problems.append(
                    Problem(f"architecture.dims.{name}", f"{values!r} is not one number per stage",
                            allowed="4 whole numbers")
                )  # fmt: skip
        widths, heads = lists.get("hidden_sizes"), lists.get("stage_heads")
        if not problems and widths and heads:
            if any(w % h for w, h in zip(widths, heads, strict=True)):
                problems.append(
                    Problem("architecture.dims.stage_heads",
                            f"{heads} does not divide hidden_sizes ({widths})")
                )  # fmt: skip
        return problems

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        dims |= {name: list(dims[name]) for name in LISTS if dims[name] is not None}
        if "sr_ratios" not in frame.pins:
            sides = resolutions(dims)
            dims["sr_ratios"] = [
                min(ratio, max(side, 1)) for ratio, side in zip(REDUCTIONS, sides, strict=True)
            ]
        return dims

    def build(self, dims: Mapping[str, Any]) -> Part:
        return SegFormer(dims)

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Depth of the third stage and width of the decoder fill the budget; see `WIDTHS`."""
        return best_shapes(lambda cap: self._search(cap, frame), budget, bool(frame.pins))

    def _search(self, budget: float, frame: Frame) -> Iterator[Shape]:
        base, pins = self.base(budget, frame), frame.pins
        for unit in (0,) if "hidden_sizes" in pins else units(budget):
            widths = list(pins.get("hidden_sizes", [unit * w for w in WIDTHS]))
            dims = base | {"hidden_sizes": widths}
            if "stage_heads" not in pins:
                dims["stage_heads"] = customary_heads(widths)
            elif any(w % h for w, h in zip(widths, pins["stage_heads"], strict=True)):
                continue
            costs = self._costs(dims, frame)
            for depths in [pins["depths"]] if "depths" in pins else patterns(budget):
                encoder = costs[0] + sum(d * c for d, c in zip(depths, costs[1:], strict=True))
                decoder_dim = pins.get("decoder_dim") or fitting_decoder(
                    budget - encoder, widths, dims["num_classes"]
                )
                params = encoder + decoder_params(decoder_dim, widths, dims["num_classes"])
                score = distance(widths, depths, decoder_dim, params, budget)
                found = {"depths": list(depths), "decoder_dim": decoder_dim}
                yield Shape(dims, tuple(found.items()), params, score)

    def _costs(self, dims: Mapping[str, Any], frame: Frame) -> tuple[int, ...]:
        """Parameters outside the encoder's blocks, then of a block of each stage."""
        key = tuple(tuple(dims[name]) for name in ("hidden_sizes", "sr_ratios", "mlp_ratios"))
        if key not in frame.counts:
            stages = Stages({**dims, "depths": [1] * len(WIDTHS)}).children.values()
            blocks = [stage.blocks.block.count() for stage in stages if isinstance(stage, Stage)]
            outside = sum(stage.count() for stage in stages) - sum(blocks)
            frame.counts[key] = (outside, *blocks)
        return frame.counts[key]

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        widths = [min(a, b) for a, b in zip(dims["hidden_sizes"], (16, 32, 64, 96), strict=True)]
        side = min(64, dims["image_size"])
        sides = resolutions({**dims, "image_size": side})
        return {
            "image_size": side,
            "num_classes": min(6, dims["num_classes"]),
            "hidden_sizes": tuple(widths),
            "depths": (1, 1, 1, 1),
            "stage_heads": tuple(
                max(h for h in range(1, min(have, 8) + 1) if width % h == 0)
                for width, have in zip(widths, dims["stage_heads"], strict=True)
            ),
            "sr_ratios": tuple(
                min(r, max(s, 1)) for r, s in zip(dims["sr_ratios"], sides, strict=True)
            ),
            "decoder_dim": min(64, dims["decoder_dim"]),
            "steps": 300,
            "learning_rate": 0.002,
            "min_learning_rate": 0.0001,
            "eval_interval": 150,
            "checkpoint_interval": 150,
        }

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims) | {"staged": True}

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        side, sides = dims["image_size"], resolutions(dims)
        return {
            "image": ["batch", dims["channels"], side, side],
            "stages": ["batch", dims["hidden_sizes"][-1], sides[-1], sides[-1]],
            "head": ["batch", dims["num_classes"], sides[0], sides[0]],
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if max(dims["sr_ratios"]) > 1:
            removed = "sequence reduction: keys and values of every position"
            yield "Reduced attention", removed, {"sr_ratios": [1] * len(dims["sr_ratios"])}
        depths = list(dims["depths"])
        if depths[2] > 1:
            depths[2] //= 2
            removed = f"half of the third stage: {depths[2]} blocks remain"
            yield "Third stage", removed, {"depths": depths}
        if dims["decoder_dim"] > 1:
            half = dims["decoder_dim"] // 2
            yield "Wide decoder", f"half of its width: {half} remains", {"decoder_dim": half}


def resolutions(dims: Mapping[str, Any]) -> list[int]:
    """The side of each stage's feature map."""
    sides, side = [], dims["image_size"]
    for patch, stride in zip(dims["patch_sizes"], dims["strides"], strict=True):
        side = (side + 2 * (patch // 2) - patch) // stride + 1
        sides.append(side)
    return sides


def units(budget: float) -> list[int]:
    """Candidate widths of the first stage: multiples of 4 to 64, of 64 beyond."""
    largest = max(4.0, 1.6 * (budget / 400) ** 0.5)  # one block of each stage
    grid = [*range(4, 64, 4), *range(64, 1024, 64), *range(1024, 2**17, 256)]
    near = [unit for unit in grid if budget / 8 <= 400 * 64 * unit**2 and unit <= largest]
    return near or [4]


def patterns(budget: float) -> Iterator[list[int]]:
    """Blocks of the stages, following the published depths."""
    if budget < 3e6:
        yield from ([d, d, d, d] for d in (1, 2))
        yield from ([1, 1, d, 1] for d in (2, 3, 4))
    for third in range(2, 65):
        first, second, fourth = next(rest for limit, rest in DEPTHS if third <= limit)
        yield [first, second, third, fourth]


def customary_heads(widths: list[int]) -> list[int]:
    """Heads of one width in all stages: the first stage's, or 64 where that divides it."""
    size = 64 if widths[0] % 64 == 0 else widths[0]
    return [width // size if width % size == 0 else 1 for width in widths]


def decoder_params(decoder_dim: int, widths: list[int], classes: int) -> int:
    """Parameters of the decoder; see `parts.segformer.Decoder`."""
    levels = decoder_dim * (sum(widths) + len(widths))
    scores = classes * (decoder_dim + 1)
    return levels + len(widths) * decoder_dim**2 + 2 * decoder_dim + scores


def fitting_decoder(room: float, widths: list[int], classes: int) -> int:
    """The widest decoder that fits, on a grid, and at most 1.6 times the last stage."""
    grid = 8 if widths[0] < 32 else 32 if widths[0] < 512 else 128
    linear = sum(widths) + len(widths) + 2 + classes
    square = len(widths)
    rest = max(0.0, room - classes)
    width = ((linear**2 + 4 * square * rest) ** 0.5 - linear) / (2 * square)
    return max(grid, int(min(width, 1.6 * widths[-1])) // grid * grid)


def distance(
    widths: list[int], depths: list[int], decoder_dim: int, params: int, budget: float
) -> float:
    """How far a candidate is from MiT-B0 ... B5: squared octaves of depth and decoder width."""
    wanted = 2 if params < 15e6 else min(40, 2 + (params - 15e6) / 1.8e6)
    score = log2(depths[2] / wanted) ** 2 + 0.5 * log2(decoder_dim / widths[-1]) ** 2
    fill = params / budget if budget else 1.0
    score += 4 * max(0.0, 1 - fill) if fill < inf else 0.0
    score += 0.05 * (widths[0] not in (32, 64, 128, 256, 512)) + 0.1 * (widths[0] % 16 != 0)
    return score + 0.1 * (fill < required_fill(budget))
