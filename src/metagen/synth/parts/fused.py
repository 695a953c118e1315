"""Several inputs as one sequence, one backbone over it, and a head for each output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .audio import LogMel, SpectrogramPatches
from .base import Embedding, Flops, Part, Repeat
from .norms import Norm
from .vision import Head, PatchEmbed, VitBlock

#: The switches of the inputs, in the order of their tokens.
READS = ("reads_text", "reads_image", "reads_audio")


def spans(dims: Mapping[str, Any]) -> tuple[int, int, int]:
    """Tokens of the text, of the picture and of the sound; 0 where one is not read."""
    patch = dims["audio_patch"]
    counts = (
        dims["context_length"],
        (dims["image_size"] // dims["patch_size"]) ** 2,
        (dims["n_mels"] // patch) * (dims["n_frames"] // patch),
    )
    return tuple(n if dims[name] else 0 for n, name in zip(counts, READS, strict=True))


def positions(dims: Mapping[str, Any]) -> int:
    """Length of the sequence: the class token, then the tokens of every input."""
    return 1 + sum(spans(dims))


def fused_block(dims: Mapping[str, Any]) -> VitBlock:
    """One layer of the backbone."""
    return VitBlock(*(dims[k] for k in ("d_model", "n_heads", "head_dim", "d_ff")))


class FusedTransformer(Part):
    """An adapter for each input, learned positions, `n_layers` blocks, heads for the outputs."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, inputs = dims["d_model"], sum(dims[name] for name in READS)
        self.positions = positions(dims)
        self.parameter("class_token", 1, 1, width)
        self.parameter("pos_embed", 1, self.positions, width)
        if inputs > 1:
            self.parameter("modality_embed", inputs, width)
        if dims["reads_text"]:
            self.embed = Embedding(dims["vocab_size"], width)
        if dims["reads_image"]:
            self.patch_embed = PatchEmbed(
                dims["channels"], width, dims["patch_size"], dims["image_size"]
            )
        if dims["reads_audio"]:
            self.log_mel = LogMel(dims["n_mels"], dims["n_frames"], dims["sample_rate"])
            self.audio_embed = SpectrogramPatches(width, dims["audio_patch"], spans(dims)[2])
        self.blocks = Repeat(fused_block(dims), dims["n_layers"])
        self.norm = Norm(width, "layernorm", True)
        if dims["gives_label"]:
            self.label_head = Head(width, dims["num_classes"])
        if dims["gives_value"]:
            self.value_head = Head(width, 1)
        if dims["gives_embedding"]:
            self.embedding_head = Head(width, dims["embedding_dim"])

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of `batch` samples; the sequence is as long as its inputs."""
        return super().flops(batch, self.positions)
