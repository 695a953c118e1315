"""Several inputs as one sequence, one backbone over it, and a head for each output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from ..trace import given
from .audio import LogMel, SpectrogramPatches
from .base import Embedding, Flops, Part, Repeat
from .norms import Norm, unit
from .tabular import contrast
from .vision import Head, PatchEmbed, VitBlock

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace

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
    sizes = (dims[k] for k in ("d_model", "n_heads", "head_dim", "d_ff"))
    return VitBlock(*sizes, activation=dims["activation"])


class FusedTransformer(Part):
    """An adapter for each input, learned positions, `n_layers` blocks, heads for the outputs."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, inputs = dims["d_model"], sum(dims[name] for name in READS)
        self.text_length = dims["context_length"]
        self.picture = (dims["channels"], dims["image_size"], dims["image_size"])
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

    def inputs(self, make: Callable[..., Array], batch: int) -> dict[str, Array]:
        """Tokens (B, S), images (B, C, Y, X) and waveforms (B, I) of a batch, as `make` makes."""
        found = {}
        if "embed" in self.children:
            found["tokens"] = make((batch, self.text_length), "int64")
        if "patch_embed" in self.children:
            found["images"] = make((batch, *self.picture), "fp32")
        if "log_mel" in self.children:
            found["waveform"] = make((batch, self.log_mel.samples), "fp32")
        return found

    def tokens(self, inputs: Mapping[str, Array]) -> list[Array]:
        """The tokens of each input, (B, S or N, D), without their positions."""
        pieces = []
        if "tokens" in inputs:
            pieces.append(self.embed(inputs["tokens"]))
        if "images" in inputs:
            images = inputs["images"]
            pieces.append(self.patch_embed(images.to(images.trace.weights)))
        if "waveform" in inputs:
            sound = self.log_mel(inputs["waveform"]).unsqueeze(1)
            pieces.append(self.audio_embed(sound.to(sound.trace.weights)))
        return pieces

    def forward(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """What each head gives, by the head's name."""
        pieces = self.tokens(inputs)
        trace, batch = pieces[0].trace, pieces[0].shape[0]
        if "modality_embed" in self.tensors:
            kinds = trace.weight(self, "modality_embed")
            pieces = [x + kinds.select(0) for x in pieces]
        first = trace.weight(self, "class_token")
        first = first.expand(batch, *first.shape[1:])
        x = concatenate([first, *pieces], 1) + trace.weight(self, "pos_embed")
        for block in self.blocks.each(trace):
            x = block(x)
        x = self.norm(x.select(1))
        heads = {name: part for name, part in self.children.items() if name.endswith("_head")}
        found = {name: head(x) for name, head in heads.items()}
        if "embedding_head" in found:
            found["embedding_head"] = unit(found["embedding_head"])
        return found

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` samples."""
        found = self(self.inputs(given(trace), batch))
        found = {name: array.float() for name, array in found.items()}
        if "label_head" in found:
            found["label_head"].cross_entropy()
        if "value_head" in found:
            found["value_head"].squared_error(trace.given(batch, 1))
        if "embedding_head" in found:
            contrast(found["embedding_head"])

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Every output for `batch` samples, which are there first."""
        self(self.inputs(trace.new, batch))
