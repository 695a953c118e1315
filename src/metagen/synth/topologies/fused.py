"""Several inputs fused in one backbone, with a head for each output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...specs.errors import Problem
from ...specs.vocabulary import stand_in
from ..dims import Dim, choice, flag, number, real, text
from ..parts.base import Part
from ..parts.fused import READS, FusedTransformer, fused_block, positions, spans
from ..solver import Frame, below
from .audio_classifier import FRAME_RATE, MOST_FRAMES
from .base import Node, Topology
from .clip_classifier import ClipTopology
from .decoder_lm import BYTE_VOCABULARY, MIN_VOCAB, VOCABULARY
from .vit import patch_size, picture_dims, tiny_picture

#: The switches of the outputs.
GIVES = ("gives_label", "gives_value", "gives_embedding")
MOST_TEXT = 4096

TABLE: Mapping[str, Dim] = {
    "reads_text": flag(True, "a text is among the inputs"),
    "reads_image": flag(True, "a picture is among the inputs"),
    "reads_audio": flag(False, "a sound is among the inputs"),
    "gives_label": flag(True, "a class is among the outputs"),
    "gives_value": flag(False, "a number is among the outputs"),
    "gives_embedding": flag(False, "a vector of length 1 is among the outputs"),
    "vocab_size": number(None, "rows of the token embedding", low=MIN_VOCAB),
    "context_length": number(64, "tokens of a text", low=4, high=2**16),
    "image_size": number(224, "side of a picture, in pixels", low=8, high=2**14),
    "channels": number(3, "channels of a picture", high=1024),
    "patch_size": number(None, "side of a picture's patch, in pixels", high=1024),
    "sample_rate": number(16_000, "samples of sound in a second", low=100, high=10**6),
    "n_frames": number(512, "frames of a spectrogram; of longer sounds a part is heard",
                       high=10**5),
    "n_mels": number(128, "mel bands of a spectrogram", high=4096),
    "audio_patch": number(16, "side of a spectrogram's patch, in bands and frames", high=4096),
    "num_classes": number(10, "labels to choose from", low=2, high=10**7),
    "embedding_dim": number(128, "width of the embedding", high=2**16),
    "temperature": real(0.1, "divisor of the cosines of embeddings", low=1e-3, high=10.0),
    "d_model": number(None, "width of the residual stream", low=8, high=2**18),
    "n_layers": number(None, "number of blocks", high=2048),
    "n_heads": number(None, "attention heads", high=4096),
    "head_dim": number(None, "width of one attention head", low=2, high=4096),
    "d_ff": number(None, "hidden width of the MLP", high=2**20),
    "activation": choice("gelu", "feed-forward nonlinearity", "gelu", "gelu_tanh", "quick_gelu"),
    "norm_eps": real(1e-6, "epsilon of the normalisation layers", low=1e-12, high=1.0),
}  # fmt: skip

#: The dimensions that an input or an output brings with it.
OWN = {
    "reads_text": ("vocab_size", "context_length"),
    "reads_image": ("image_size", "channels", "patch_size"),
    "reads_audio": ("sample_rate", "n_frames", "n_mels", "audio_patch"),
    "gives_label": ("num_classes",),
    "gives_embedding": ("embedding_dim", "temperature"),
}
LOSSES = {
    "gives_label": "cross-entropy of the label",
    "gives_value": "squared error of the value",
    "gives_embedding": "supervised contrast of the embedding",
}


class FusedTopology(ClipTopology):
    """An adapter for each input, one bidirectional backbone, a head for each output."""

    id = "fused"
    phrase = "multimodal fusion transformer"
    objective = "the sum of the losses of its outputs"
    covers = {
        "inputs": frozenset({"text", "image", "audio"}),
        "outputs": frozenset({"label", "value", "embedding"}),
        "objective": frozenset({"classification", "regression", "contrastive"}),
        "task": frozenset({"classification", "regression", "embedding"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "the prediction of its outputs"
    unit = "sample"
    table = TABLE
    aliases = {"hidden_size": "d_model", "max_pos": "context_length", "embed_dim": "embedding_dim"}
    floor = {"d_model": 32, "n_layers": 1, "n_heads": 1, "head_dim": 32, "d_ff": 64}
    top = "fused"
    exports = ("FusedTransformer", "build_model")
    programs = ("common", "sound", "text", "images", "audio", "fused")
    settings = {"data": text("CSV or JSONL with a column per input and output; empty: built in")}
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Attention heads",
        "head_dim": "Head dimension",
        "d_ff": "Feed-forward width",
    }
    nodes = (
        Node("inputs", "input"),
        Node("embed", "adapters", ("embed", "patch_embed", "audio_embed")),
        Node("attention", "self-attention", ("blocks.attn",), repeated=True),
        Node("mlp", "feed-forward network", ("blocks.mlp",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("head", "output heads", ("label_head", "value_head", "embedding_head")),
        Node("loss", "sum of losses"),
    )
    batch = 256

    def given(self, spec: Any) -> dict[str, Any]:
        """What is read and given, and the sizes that the task states."""
        inputs, outputs = (
            set(map(stand_in, getattr(spec.modality, side))) for side in ("inputs", "outputs")
        )
        dims: dict[str, Any] = {name: name.partition("_")[2] in inputs for name in READS}
        dims |= {name: name.partition("_")[2] in outputs for name in GIVES}
        dims |= picture_dims(spec)
        task = spec.task
        asked = {n: getattr(task, n) for n in ("num_classes", "sample_rate", "embedding_dim")}
        if task.seconds:
            asked["n_frames"] = min(task.seconds * FRAME_RATE, MOST_FRAMES)
        window = spec.constraints.context_window
        if window and "context_window" in spec.stated.get("constraints", {}):
            asked["context_length"] = int(min(max(window.value, 4), MOST_TEXT))
        return dims | {name: value for name, value in asked.items() if value}

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        dims = {name: dim.default for name, dim in TABLE.items()} | dict(pins)
        patch, rules = dims["patch_size"] or 1, []
        for names, what in ((READS, "input"), (GIVES, "output")):
            none = all(pins.get(name) is False for name in names)
            rules.append((names[0], none, f"no {what} is left"))
        rules.append(("patch_size", patch > dims["image_size"], "it is above image_size"))
        least = min(dims["n_mels"], dims["n_frames"])
        wide = dims["audio_patch"] > least
        rules.append(("audio_patch", wide, "it is above n_mels or n_frames"))
        return [Problem(f"architecture.dims.{n}", m) for n, broken, m in rules if broken]

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        """As everywhere; switches that would leave nothing to read or give stay as given."""
        dims = Topology.base(self, budget, frame)
        for names in (READS, GIVES):
            if not any(dims[name] for name in names):
                dims |= {name: frame.given.get(name, TABLE[name].default) for name in names}
        dims["vocab_size"] = dims["vocab_size"] or below(VOCABULARY, budget)
        dims["patch_size"] = dims["patch_size"] or patch_size(dims["image_size"], budget)
        dims["audio_patch"] = min(dims["audio_patch"], dims["n_mels"], dims["n_frames"])
        return dims

    def build(self, dims: Mapping[str, Any]) -> FusedTransformer:
        return FusedTransformer(dims)

    def block(self, dims: Mapping[str, Any]) -> Part:
        return fused_block(dims)

    def length(self, dims: Mapping[str, Any]) -> int:
        return positions(dims)

    def sample(self, dims: Mapping[str, Any]) -> list[int]:
        """Numbers that one sample consists of: tokens, pixels and points of a waveform."""
        return [sum(_sizes(dims).values())]

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims) | {
            "several_inputs": sum(dims[name] for name in READS) > 1,
            "attn_qkv_bias": True,
            "bpe": dims["reads_text"] and dims["vocab_size"] > BYTE_VOCABULARY,
        }

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        absent = {name for switch, names in OWN.items() if not dims[switch] for name in names}
        return {d: name for d, name in super().fields(dims).items() if d not in absent}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        size, patch = tiny_picture(dims["image_size"], dims["patch_size"], largest=8)
        return {
            "vocab_size": min(BYTE_VOCABULARY, dims["vocab_size"]),
            "context_length": min(48, dims["context_length"]),
            "image_size": size,
            "patch_size": patch,
            "sample_rate": min(8000, dims["sample_rate"]),
            "n_frames": min(64, dims["n_frames"]),
            "n_mels": min(32, dims["n_mels"]),
            "audio_patch": min(8, dims["audio_patch"]),
            "num_classes": min(10, dims["num_classes"]),
            "embedding_dim": min(32, dims["embedding_dim"]),
            "d_model": min(64, dims["d_model"]),
            "n_layers": min(3, dims["n_layers"]),
            "n_heads": min(4, dims["n_heads"]),
            "head_dim": min(16, dims["head_dim"]),
            "d_ff": min(192, dims["d_ff"]),
            "init_std": 0.08,  # about the square root of one over the width
            "steps": 400,
            "global_batch": 32,
            "micro_batch": 32,
            "learning_rate": 0.003,
            "warmup_steps": 40,
            "eval_interval": 200,
            "eval_samples": 128,
            "checkpoint_interval": 200,
        }

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        idle = ["clips"]
        idle += [] if switches["bpe"] else ["bpe"]
        idle += [] if switches["reads_text"] else ["tokenizer", "read_text"]
        idle += [] if switches["reads_image"] else ["pictures", "read_image"]
        idle += [] if switches["reads_audio"] else ["wav", "read_audio"]
        idle += ["accumulation"] if switches["gives_embedding"] else []  # contrast of one batch
        return tuple(idle)

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        losses = [LOSSES[name] for name in GIVES if dims[name]]
        own = {"infer_args": "--limit 12", "objective": " plus ".join(losses)}
        if dims["reads_text"]:
            byte_level = dims["vocab_size"] <= BYTE_VOCABULARY
            own["tokenizer"] = "byte-level" if byte_level else "byte-level BPE"
        return own

    def kind_of(self, node: Node, dims: Mapping[str, Any]) -> str:
        if node.id == "loss":
            return " plus ".join(LOSSES[name] for name in GIVES if dims[name])
        return node.kind

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        stream = ["batch", positions(dims), dims["d_model"]]
        widths = {"gives_label": dims["num_classes"], "gives_value": 1,
                  "gives_embedding": dims["embedding_dim"]}  # fmt: skip
        given = sum(width for name, width in widths.items() if dims[name])
        return {node.id: stream for node in self.nodes} | {
            "inputs": ["batch", *self.sample(dims)],
            "norm": ["batch", dims["d_model"]],
            "head": ["batch", given],
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from Topology.alternatives(self, dims)
        read = [name for name in READS if dims[name]]
        for name in read if len(read) > 1 else ():
            kind = {"reads_text": "texts", "reads_image": "pictures", "reads_audio": "sounds"}[name]
            yield f"The {kind}", f"the {kind}: the rest is read alone", {name: False}


def _sizes(dims: Mapping[str, Any]) -> dict[str, int]:
    """Numbers of each input that is read."""
    sound = dims["n_frames"] * round(dims["sample_rate"] / FRAME_RATE)
    sizes = (spans(dims)[0], dims["channels"] * dims["image_size"] ** 2, sound)
    return {name: size for name, size in zip(READS, sizes, strict=True) if dims[name]}
