"""The transformer that classifies clips of video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, choice, flag, number, real
from ..parts.video import VideoClassifier, positions
from ..solver import Frame
from .base import Node, Topology, short_run
from .clip_classifier import ClipTopology
from .stack import STACK, STACK_SHOWN, tiny_stack
from .vit import patch_size, tiny_picture

TABLE: Mapping[str, Dim] = {
    "frames": number(16, "frames of a clip", high=2**20),
    "image_size": number(224, "side of a frame, in pixels", low=8, high=2**14),
    "channels": number(3, "channels of a frame", high=1024),
    "tubelet": number(None, "frames of a tubelet", high=4096),
    "patch_size": number(None, "side of a tubelet, in pixels", high=1024),
    "num_classes": number(400, "labels to choose from", high=10**7),
    **STACK,
    "pool": choice("mean", "what the head reads", "class_token", "mean"),
    "pos": choice("fixed", "positions: sinusoids or weights", "fixed", "learned"),
    "activation": choice("gelu", "feed-forward nonlinearity", "gelu", "gelu_tanh", "quick_gelu"),
    "norm_eps": real(1e-6, "epsilon of the normalisation layers", low=1e-12, high=1.0),
    "attn_qkv_bias": flag(True, "biases on the query, key and value projections"),
}  # fmt: skip


class VideoTopology(ClipTopology):
    """Tubelets, blocks of joint attention over space and time, a head."""

    id = "video_classifier"
    phrase = "video transformer"
    objective = "classification of clips"
    covers = {
        "inputs": frozenset({"video"}),
        "outputs": frozenset({"label"}),
        "objective": frozenset({"classification"}),
        "task": frozenset({"classification"}),
        "family": frozenset({"transformer"}),
    }
    table = TABLE
    aliases = {"hidden_size": "d_model", "in_channels": "channels", "num_frames": "frames",
               "tubelet_size": "tubelet"}  # fmt: skip
    top = "video_classifier"
    exports = ("VideoClassifier", "build_model")
    programs = ("common", "reading", "classes", "classifier", "labels", "video")
    shown = {
        **STACK_SHOWN,
        "frames": "Frames",
        "image_size": "Frame size",
        "tubelet": "Tubelet length",
        "patch_size": "Patch size",
    }
    nodes = (
        Node("video", "input"),
        Node("embed", "tubelet embedding", ("tubelet_embed",)),
        Node("attention", "space-time attention", ("blocks.attn",), repeated=True),
        Node("mlp", "feed-forward network", ("blocks.mlp",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("head", "classification head", ("head",)),
        Node("loss", "cross-entropy over the classes"),
    )
    batch = 512

    def given(self, spec: Any) -> dict[str, Any]:
        asked = ("frames", "image_size", "channels", "num_classes")
        values = {name: getattr(spec.task, name) for name in asked}
        return {name: value for name, value in values.items() if value}

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        pairs = (("patch_size", "image_size"), ("tubelet", "frames"))
        return [
            Problem(f"architecture.dims.{part}", f"{pins[part]} does not divide {whole}")
            for part, whole in pairs
            if part in pins and whole in pins and pins[whole] % pins[part]
        ]

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = Topology.base(self, budget, frame)
        if dims["patch_size"] is None:
            dims["patch_size"] = patch_size(dims["image_size"], budget)
        if dims["tubelet"] is None:
            dims["tubelet"] = 2 if dims["frames"] % 2 == 0 else 1
        return dims

    def build(self, dims: Mapping[str, Any]) -> VideoClassifier:
        return VideoClassifier(dims)

    def length(self, dims: Mapping[str, Any]) -> int:
        return positions(dims)

    def sample(self, dims: Mapping[str, Any]) -> list[int]:
        return [dims["frames"], dims["channels"], dims["image_size"], dims["image_size"]]

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        size, patch = tiny_picture(dims["image_size"], dims["patch_size"])
        if size >= 32 and dims["patch_size"] >= 8:
            size, patch = 32, 8
        tubelet = min(2, dims["tubelet"])
        return {
            "frames": max(tubelet, min(8, dims["frames"]) // tubelet * tubelet),
            "image_size": size,
            "tubelet": tubelet,
            "patch_size": patch,
            "num_classes": min(10, dims["num_classes"]),
            **tiny_stack(dims, n_layers=3, d_ff=192),
            **short_run(steps=360, batch=32, learning_rate=0.003, warmup=40),
            "eval_samples": 128,
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from Topology.alternatives(self, dims)
        if dims["pool"] == "class_token":
            yield "Class token", "the token: the head reads the mean", {"pool": "mean"}
        longer = 2 * dims["tubelet"]
        if dims["frames"] % longer == 0:
            removed = f"every second tubelet in time: they span {longer} frames"
            yield "Fine time steps", removed, {"tubelet": longer}
