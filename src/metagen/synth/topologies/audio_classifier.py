"""The transformer over spectrograms that classifies sounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, choice, flag, number, real
from ..parts.audio import AudioClassifier, positions
from .base import Node, Topology, short_run
from .clip_classifier import ClipTopology
from .stack import STACK, STACK_NODES, STACK_SHOWN, tiny_stack

#: Frames a second of speech and sound recognition: one for every 10 ms, of 25 ms each.
FRAME_RATE = 100
#: Frames that are heard at once; of longer sounds a part is heard.
MOST_FRAMES = 3000

TABLE: Mapping[str, Dim] = {
    "sample_rate": number(16_000, "samples of sound in a second", low=100, high=10**6),
    "n_frames": number(1024, "frames of a spectrogram; of longer sounds a part is heard",
                       high=10**5),
    "n_mels": number(128, "mel bands of a spectrogram", high=4096),
    "patch_size": number(16, "side of a patch, in bands and frames", high=4096),
    "freq_stride": number(10, "bands between two patches", high=4096),
    "time_stride": number(10, "frames between two patches", high=4096),
    "num_classes": number(527, "labels to choose from", high=10**7),
    **STACK,
    "distilled": flag(True, "a distillation token beside the class token; the head reads both"),
    "activation": choice("gelu", "feed-forward nonlinearity", "gelu", "gelu_tanh", "quick_gelu"),
    "norm_eps": real(1e-6, "epsilon of the normalisation layers", low=1e-12, high=1.0),
    "attn_qkv_bias": flag(True, "biases on the query, key and value projections"),
}  # fmt: skip


class AudioTopology(ClipTopology):
    """Log-mel spectrogram, overlapping patches, blocks of attention and MLP, a head."""

    id = "audio_classifier"
    phrase = "audio spectrogram transformer"
    objective = "classification of sounds"
    covers = {
        "inputs": frozenset({"audio"}),
        "outputs": frozenset({"label"}),
        "objective": frozenset({"classification"}),
        "task": frozenset({"classification"}),
        "family": frozenset({"transformer"}),
    }
    table = TABLE
    top = "audio_classifier"
    exports = ("AudioClassifier", "build_model")
    programs = ("common", "reading", "classes", "classifier", "sound", "labels", "audio")
    shown = {
        **STACK_SHOWN,
        "n_mels": "Mel bands",
        "n_frames": "Frames",
        "patch_size": "Patch size",
    }
    nodes = (
        Node("waveform", "input"),
        Node("spectrogram", "log-mel spectrogram"),
        Node("embed", "patch embedding", ("patch_embed",)),
        *STACK_NODES,
        Node("head", "classification head", ("head", "head_norm")),
        Node("loss", "cross-entropy over the classes"),
    )

    def given(self, spec: Any) -> dict[str, Any]:
        asked = {"num_classes": spec.task.num_classes, "sample_rate": spec.task.sample_rate}
        if spec.task.seconds:
            asked["n_frames"] = min(spec.task.seconds * FRAME_RATE, MOST_FRAMES)
        return {name: value for name, value in asked.items() if value}

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        pinned = {name: dim.default for name, dim in self.table.items()} | dict(pins)
        return [
            Problem("architecture.dims.patch_size", f"a patch is larger than {name}")
            for name in ("n_mels", "n_frames")
            if pinned["patch_size"] > pinned[name]
        ]

    def build(self, dims: Mapping[str, Any]) -> AudioClassifier:
        return AudioClassifier(dims)

    def length(self, dims: Mapping[str, Any]) -> int:
        return positions(dims)

    def sample(self, dims: Mapping[str, Any]) -> list[int]:
        return [dims["n_frames"] * round(dims["sample_rate"] / FRAME_RATE)]

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        patch = min(8, dims["patch_size"])
        return {
            "sample_rate": min(8000, dims["sample_rate"]),
            "n_frames": min(64, dims["n_frames"]),
            "n_mels": min(32, dims["n_mels"]),
            "patch_size": patch,
            "freq_stride": min(6, dims["freq_stride"]),
            "time_stride": min(6, dims["time_stride"]),
            "num_classes": min(10, dims["num_classes"]),
            **tiny_stack(dims, n_layers=3, d_ff=192),
            **short_run(steps=360, batch=32, learning_rate=0.003, warmup=30),
            "eval_samples": 128,
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        picture = ["batch", dims["n_mels"], dims["n_frames"]]
        return super().node_shapes(dims) | {"spectrogram": picture}

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from Topology.alternatives(self, dims)
        if dims["distilled"]:
            yield "Distillation token", "the second token", {"distilled": False}
        patch = dims["patch_size"]
        if min(dims["freq_stride"], dims["time_stride"]) < patch:
            strides = {"freq_stride": patch, "time_stride": patch}
            yield "Overlap", "the overlap of the patches", strides
