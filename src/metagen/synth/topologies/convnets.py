"""Convolutional image classifiers: residual networks and ConvNeXt."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping
from math import log2, log10
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, choice, number, real, several
from ..parts.convnets import ConvNext, ResNet, Stage, convnext_block, residual_stage
from ..solver import Frame, Shape, best_shapes, interpolate, required_fill
from .base import Node, Topology, short_run
from .vit import PICTURE_SETTINGS, picture_dims, tiny_picture

STAGES = 4

_PICTURES: Mapping[str, Dim] = {
    "image_size": number(224, "side of an image, in pixels", low=8, high=2**14),
    "channels": number(3, "channels of an image", high=1024),
    "num_classes": number(1000, "labels to choose from", high=10**7),
}
_STAGES: Mapping[str, Dim] = {
    "hidden_sizes": several(None, "channels of every stage", STAGES, high=2**18),
    "depths": several(None, "blocks of every stage", STAGES, high=512),
}

RESNET: Mapping[str, Dim] = {
    **_PICTURES,
    "block": choice("basic", "what a block is made of", "basic", "bottleneck"),
    "stem_dim": number(None, "channels of the stem", high=2**18),
    **_STAGES,
    "reduction": number(4, "channels of a bottleneck over those of its middle", high=64),
}

CONVNEXT: Mapping[str, Dim] = {
    **_PICTURES,
    "block": choice("convnext", "what a block is made of", "convnext"),
    "patch_size": number(None, "stride of the stem, in pixels", high=64),
    **_STAGES,
    "kernel_size": number(7, "side of the depthwise convolutions; odd", high=63),
    "mlp_ratio": number(4, "hidden channels of a block over its channels", high=64),
    "norm_eps": real(1e-6, "epsilon of the normalisation layers", low=1e-12, high=1.0),
}

#: From this budget on residual blocks are bottlenecks (ResNet-34 is basic, ResNet-50 is not).
BOTTLENECK_FROM = 23.5e6


#: Widths that are tried where the customary ones leave no room for blocks.
NARROW = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


class ConvTopology(Topology):
    """Stages of blocks at halving resolution; widths double from stage to stage."""

    covers = {
        "inputs": frozenset({"image"}),
        "outputs": frozenset({"label"}),
        "objective": frozenset({"classification"}),
        "task": frozenset({"classification"}),
        "family": frozenset({"cnn"}),
    }
    objective = "classification"
    served_as = "classification: the answer is a label"
    unit = "image"
    rate_unit = "img/s"
    programs = ("common", "batches", "reading", "classes", "classifier", "images")
    settings = PICTURE_SETTINGS
    batch = 1024
    shown = {"image_size": "Image size", "num_classes": "Classes"}
    nodes = (
        Node("pixels", "input"),
        Node("stem", "convolutional stem", ("stem",)),
        Node("stages", "stages of convolutional blocks", ("stages", "downsamples")),
        Node("head", "classification head", ("norm", "head")),
        Node("loss", "cross-entropy over the classes"),
    )
    #: Blocks of all stages but the third, of small, middling and large models.
    frames: tuple[tuple[int, int, int], ...] = ()
    #: (log10 of the budget, blocks of the third stage).
    third: tuple[tuple[float, float], ...] = ()
    #: (log10 of the budget, width of the first stage) where the practice is known.
    usual_width: tuple[tuple[float, float], ...] = ()

    def given(self, spec: Any) -> dict[str, Any]:
        return picture_dims(spec)

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        return [
            Problem(f"architecture.dims.{name}", f"{len(pins[name])} numbers, not {STAGES}")
            for name in ("hidden_sizes", "depths")
            if name in pins and len(pins[name]) != STAGES
        ]

    def least(self, given: Mapping[str, Any]) -> int:
        dims = self._complete(self.base(0, Frame(given)), NARROW[0], (1,) * STAGES)
        return self.build(dims).count()

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims) | {"patched": False}

    # -- shapes -------------------------------------------------------------------------------

    @abstractmethod
    def stage(self, dims: Mapping[str, Any], index: int) -> Stage:
        """Stage `index` of two blocks or more."""

    def widths(self, base: int, dims: Mapping[str, Any]) -> tuple[int, ...]:
        """Channels of the stages of a model whose first one is `base` wide."""
        return tuple(base * 2**i for i in range(STAGES))

    def _complete(
        self, dims: Mapping[str, Any], base: int, depths: Iterable[int]
    ) -> dict[str, Any]:
        """Dimensions with the widths that follow from the base width, and depths."""
        widths = dims.get("hidden_sizes") or self.widths(base, dims)
        stem = {"stem_dim": dims.get("stem_dim") or base} if "stem_dim" in self.table else {}
        return {**dims, **stem, "hidden_sizes": tuple(widths), "depths": tuple(depths)}

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Candidates, best first; narrower where the classes take most of the budget."""
        pinned = not frame.pins.keys().isdisjoint(("stem_dim", "hidden_sizes", "depths"))
        found = best_shapes(lambda cap: self._search(cap, frame), budget, pinned)
        if pinned or found and found[0].params >= required_fill(budget) * budget:
            return found
        narrow = [*found, *self._search(budget, frame, NARROW)]
        fitting = [shape for shape in narrow if shape.params <= budget]
        smallest = min(narrow, key=lambda shape: shape.params)
        return sorted(fitting, key=lambda shape: -shape.params)[:5] or [smallest]

    def _search(self, budget: float, frame: Frame, narrow: Iterable[int] = ()) -> Iterator[Shape]:
        """Candidates around the customary width, or of `narrow` widths with the leanest blocks."""
        dims = self.base(0 if narrow else budget, frame)
        for base in narrow or self._base_widths(budget, frame):
            whole = self._complete(dims, base, (1,) * STAGES)
            costs = self._costs(whole, frame)
            for depths in self._depths(budget, costs, frame):
                params = costs[0] + sum(
                    first + (n - 1) * other
                    for n, (first, other) in zip(depths, costs[1], strict=True)
                )
                fill = params / budget if budget else 1.0
                score = self._distance(budget, base, depths) + 4 * max(0.0, 1 - fill)
                found = {k: whole[k] for k in ("stem_dim", "hidden_sizes") if k in whole}
                yield Shape(dims, tuple({**found, "depths": depths}.items()), params, score)

    def _costs(self, dims: Mapping[str, Any], frame: Frame) -> tuple[int, list[tuple[int, int]]]:
        """Parameters outside the stages, and of the first and every other block of each stage."""
        stem = dims.get("stem_dim")
        key = (self.id, dims["block"], stem, *dims["hidden_sizes"])
        if (*key, 0) not in frame.counts:
            stages = [self.stage(dims, i) for i in range(STAGES)]
            for i, stage in enumerate(stages):
                frame.counts[*key, i] = stage.first.count(), stage.other.count()
            inside = sum(stage.first.count() for stage in stages)
            frame.counts[*key, "outside"] = self.build(dims).count() - inside, 0
        return frame.counts[*key, "outside"][0], [frame.counts[*key, i] for i in range(STAGES)]

    def _base_widths(self, budget: float, frame: Frame) -> list[int]:
        pins = frame.pins
        if "hidden_sizes" in pins:
            return [pins.get("stem_dim") or pins["hidden_sizes"][0]]
        if "stem_dim" in pins:
            return [pins["stem_dim"]]
        if "depths" in pins:
            return [*range(4, 64, 4), *range(64, 512, 16), *range(512, 8192, 128)]
        wanted = self._wanted_width(budget)
        step = 4 if wanted < 24 else 8 if wanted < 128 else 16 if wanted < 512 else 64
        first = max(4, int(wanted / 2) // step * step)
        return list(range(first, max(first, int(wanted * 2)) + 1, step))

    def _wanted_width(self, budget: float) -> float:
        """The customary width of the first stage, continued by the square root beyond."""
        last_budget, last_width = self.usual_width[-1]
        most = 10**last_budget
        if budget > most:
            grown = 10 ** interpolate(self.third, log10(budget))
            depth = grown / 10 ** interpolate(self.third, last_budget)
            return last_width * (budget / most / depth) ** 0.5
        return interpolate(self.usual_width, log10(max(budget, 1e4)))

    def _depths(
        self, budget: float, costs: tuple[int, list[tuple[int, int]]], frame: Frame
    ) -> Iterator[tuple[int, ...]]:
        """Depths of the stages: the usual ones around as many third-stage blocks as fit."""
        if "depths" in frame.pins:
            yield tuple(frame.pins["depths"])
            return
        for one, two, four in self.frames:
            fixed = costs[0] + sum(
                first + (n - 1) * other
                for n, (first, other) in zip((one, two, 1, four), costs[1], strict=True)
            )
            most = 1 + max(0, int((budget - fixed) // costs[1][2][1]))
            for three in {min(most, 400), max(1, min(most, 400) - 1)}:
                yield one, two, three, four

    def _distance(self, budget: float, base: int, depths: tuple[int, ...]) -> float:
        """How far widths and depths are from practice, in squared octaves."""
        size = log10(max(budget, 1e4))
        third = 10 ** interpolate(self.third, size)
        score = log2(base / self._wanted_width(budget)) ** 2
        score += log2(depths[2] / third) ** 2
        wanted = self.frames[min(bisect((1.5, 4, 28), third), len(self.frames) - 1)]
        score += 0.1 * sum(
            abs(a - b) for a, b in zip((*depths[:2], depths[3]), wanted, strict=True)
        )
        round_to = 8 if base < 64 else 16 if base < 128 else 32
        return score + 0.1 * (base % round_to != 0)

    # -- costs --------------------------------------------------------------------------------

    def sides(self, dims: Mapping[str, Any]) -> list[int]:
        """Sides of the maps of the stages."""
        first = -(-dims["image_size"] // (dims.get("patch_size") or 4))
        return [max(1, first >> i) for i in range(STAGES)]

    # -- code and documents -------------------------------------------------------------------

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        widths = self.widths(16, {**dims, "hidden_sizes": None})
        return {
            "image_size": tiny_picture(dims["image_size"], 4)[0],
            "num_classes": min(10, dims["num_classes"]),
            "hidden_sizes": tuple(map(min, widths, dims["hidden_sizes"])),
            "depths": tuple(map(min, (1, 1, 2, 1), dims["depths"])),
            **short_run(steps=300, batch=32, learning_rate=0.002, warmup=30),
            "eval_interval": 100,
            "checkpoint_interval": 100,
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        size, sides = dims["image_size"], self.sides(dims)
        stem = dims.get("stem_dim") or dims["hidden_sizes"][0]
        return {
            "pixels": ["batch", dims["channels"], size, size],
            "stem": ["batch", stem, sides[0], sides[0]],
            "stages": ["batch", dims["hidden_sizes"][-1], sides[-1], sides[-1]],
            "head": ["batch", dims["num_classes"]],
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        depths = dims["depths"]
        if max(depths) > 1:
            half = tuple(max(1, depth // 2) for depth in depths)
            yield "Depth", f"half of the blocks: {sum(half)} remain", {"depths": half}
            shallow = (*depths[:2], 1, depths[3])
            if depths[2] > 1:
                yield "Third stage", "all of its blocks but one", {"depths": shallow}


class ResNetTopology(ConvTopology):
    """Residual blocks with batch normalisation."""

    id = "resnet"
    phrase = "residual convolutional network"
    table = RESNET
    aliases = {"embedding_size": "stem_dim", "layer_type": "block", "num_channels": "channels"}
    top = "resnet"
    exports = ("ResNet", "build_model")
    shown = {"stem_dim": "Width of the stem"} | ConvTopology.shown
    frames = ((1, 1, 1), (2, 2, 2), (3, 4, 3), (3, 8, 3))
    #: log10 of the third stage's blocks: ResNet-18, 34/50, 101, 152, then deeper by and by.
    third = ((5, 0.0), (6.5, 0.1), (7.1, 0.31), (7.3, 0.78), (7.45, 0.78), (7.65, 1.36),
             (7.78, 1.56), (9, 1.56), (12, 2.1))  # fmt: skip
    usual_width = ((5, 4), (5.5, 12), (6, 20), (6.5, 36), (7.05, 64), (7.78, 64))

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = super().contradictions(pins)
        widths, reduction = pins.get("hidden_sizes"), pins.get("reduction", 4)
        if pins.get("block") == "bottleneck" and widths and any(w % reduction for w in widths):
            message = f"reduction ({reduction}) does not divide every width"
            problems.append(Problem("architecture.dims.hidden_sizes", message))
        return problems

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        block = "bottleneck" if budget >= BOTTLENECK_FROM else "basic"
        dims = super().base(budget, frame)
        return dims | {"block": frame.pins.get("block", block)}

    def build(self, dims: Mapping[str, Any]) -> ResNet:
        return ResNet(dims)

    def stage(self, dims: Mapping[str, Any], index: int) -> Stage:
        return residual_stage(dims, index)

    def widths(self, base: int, dims: Mapping[str, Any]) -> tuple[int, ...]:
        factor = dims["reduction"] if dims["block"] == "bottleneck" else 1
        return tuple(factor * width for width in super().widths(base, dims))

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        return ("accumulation",)  # batch statistics depend on the micro-batch

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().tiny(dims) | {"stem_dim": min(16, dims["stem_dim"])}

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["block"] == "bottleneck":
            yield (
                "Bottlenecks",
                "the bottleneck: two convolutions at full width",
                {"block": "basic"},
            )


class ConvNextTopology(ConvTopology):
    """Depthwise convolutions and perceptrons over channels, with layer normalisation."""

    id = "convnext"
    phrase = "ConvNeXt"
    table = CONVNEXT
    aliases = {"num_channels": "channels"}
    top = "convnext"
    exports = ("ConvNext", "build_model")
    shown = {"patch_size": "Patch size", "kernel_size": "Kernel"} | ConvTopology.shown
    frames = ((1, 1, 1), (2, 2, 2), (3, 3, 3))
    #: log10 of the third stage's blocks: ConvNeXt-V2 Atto to Nano, T, S to XL.
    third = ((5, 0.0), (6, 0.3), (6.6, 0.78), (7.2, 0.9), (7.46, 0.954), (7.7, 1.43), (9, 1.43),
             (12, 2.0))  # fmt: skip
    usual_width = ((5, 4), (5.5, 12), (6, 24), (6.57, 40), (6.96, 64), (7.19, 80), (7.46, 96),
                   (7.7, 96), (7.95, 128), (8.3, 192), (8.54, 256))  # fmt: skip

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = super().contradictions(pins)
        if pins.get("kernel_size", 7) % 2 == 0:
            message = f"{pins['kernel_size']} is even: the map would change its size"
            problems.append(Problem("architecture.dims.kernel_size", message, allowed="an odd one"))
        size, patch = pins.get("image_size"), pins.get("patch_size")
        if size and patch and size < 8 * patch:
            message = f"{patch} leaves an image of {size} too small to halve three times"
            problems.append(Problem("architecture.dims.patch_size", message))
        return problems

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        if dims["patch_size"] is None:
            dims["patch_size"] = max(1, min(4, dims["image_size"] // 8))
        return dims

    def build(self, dims: Mapping[str, Any]) -> ConvNext:
        return ConvNext(dims)

    def stage(self, dims: Mapping[str, Any], index: int) -> Stage:
        block = convnext_block(dims, dims["hidden_sizes"][index])
        return Stage(block, block, 2)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().tiny(dims) | {
            "patch_size": min(2, dims["patch_size"]),
            "kernel_size": dims["kernel_size"],
            "mlp_ratio": dims["mlp_ratio"],
        }
