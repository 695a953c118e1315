"""Several inputs fused in one backbone, with a head for each output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..dims import Dim, choice, flag, number, real
from ..parts.base import Part
from ..parts.fused import READS, FusedTransformer, fused_block, positions, spans
from .audio_classifier import FRAME_RATE
from .base import Node, short_run
from .decoder_lm import BYTE_VOCABULARY, MIN_VOCAB, tokenizer_of
from .modalities import ModalitiesTopology
from .stack import STACK, STACK_NODES, tiny_stack
from .vit import tiny_picture

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
    **STACK,
    "activation": choice("gelu", "feed-forward nonlinearity", "gelu", "gelu_tanh", "quick_gelu"),
    "norm_eps": real(1e-6, "epsilon of the normalisation layers", low=1e-12, high=1.0),
}  # fmt: skip


class FusedTopology(ModalitiesTopology):
    """An adapter for each input, one bidirectional backbone, a head for each output."""

    id = "fused"
    phrase = "multimodal fusion transformer"
    losses = {
        "gives_label": "cross-entropy of the label",
        "gives_value": "squared error of the value",
        "gives_embedding": "supervised contrast of the embedding",
    }
    own = {
        "reads_text": ("vocab_size", "context_length"),
        "reads_image": ("image_size", "channels", "patch_size"),
        "reads_audio": ("sample_rate", "n_frames", "n_mels", "audio_patch"),
        "gives_label": ("num_classes",),
        "gives_embedding": ("embedding_dim", "temperature"),
    }
    reads, gives = READS, tuple(losses)
    text_length = "context_length"
    covers = {
        "inputs": frozenset({"text", "image", "audio"}),
        "outputs": frozenset({"label", "value", "embedding"}),
        "objective": frozenset({"classification", "regression", "contrastive"}),
        "task": frozenset({"classification", "regression", "embedding"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "the prediction of its outputs"
    table = TABLE
    aliases = {"hidden_size": "d_model", "max_pos": "context_length", "embed_dim": "embedding_dim"}
    top = "fused"
    exports = ("FusedTransformer", "build_model")
    programs = (
        "common", "batches", "scores", "heads", "reading", "corpus", "sound", "text", "images",
        "audio", "fused",
    )  # fmt: skip
    nodes = (
        Node("inputs", "input"),
        Node("embed", "adapters", ("embed", "patch_embed", "audio_embed")),
        *STACK_NODES,
        Node("head", "output heads", ("label_head", "value_head", "embedding_head")),
        Node("loss", "sum of losses"),
    )

    def build(self, dims: Mapping[str, Any]) -> FusedTransformer:
        return FusedTransformer(dims)

    def block(self, dims: Mapping[str, Any]) -> Part:
        return fused_block(dims)

    def length(self, dims: Mapping[str, Any]) -> int:
        return positions(dims)

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims) | {
            "several_inputs": sum(dims[name] for name in READS) > 1,
            "attn_qkv_bias": True,
            "bpe": dims["reads_text"] and dims["vocab_size"] > BYTE_VOCABULARY,
        }

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
            **tiny_stack(dims, n_layers=3, d_ff=192),
            "init_std": 0.08,  # about the square root of one over the width
            **short_run(steps=400, batch=32, learning_rate=0.003, warmup=40),
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
        own = super().words(spec, dims) | {"infer_args": "--limit 12"}
        if dims["reads_text"]:
            own["tokenizer"] = tokenizer_of(dims["vocab_size"])
        return own

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

    def sizes(self, dims: Mapping[str, Any]) -> dict[str, int]:
        sound = dims["n_frames"] * round(dims["sample_rate"] / FRAME_RATE)
        sizes = (spans(dims)[0], dims["channels"] * dims["image_size"] ** 2, sound)
        return {name: size for name, size in zip(READS, sizes, strict=True) if dims[name]}

    def called(self, name: str) -> str:
        words = {"reads_text": "texts", "reads_image": "pictures", "reads_audio": "sounds"}
        return f"the {words[name]}"
