"""The vision-language model: a picture tower, a projector and a decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .attention import Span
from .base import Embedding, Flops, Linear, Part, Repeat
from .convolution import at_places
from .decoder_lm import Block, LanguageModel
from .norms import Norm
from .towers import ImageTower, patches

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class Projector(Part):
    """Two layers from the width of the picture tower to that of the decoder."""

    def __init__(self, width: int, d_model: int) -> None:
        super().__init__()
        self.up_proj = Linear(width, d_model, True)
        self.down_proj = Linear(d_model, d_model, True)

    def forward(self, x: Array) -> Array:
        """(B, N, width), rows of a larger array or not -> (B, N, d_model)."""
        return self.down_proj(at_places(self.up_proj, x).apply("gelu"))


class VisionLanguageModel(Part):
    """`flops` reads one picture and `length` positions, the picture's patches included."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        d_model, vocabulary = dims["d_model"], dims["vocab_size"]
        self.patches = patches(dims)
        self.picture = (dims["channels"], dims["image_size"], dims["image_size"])
        self.rotated = int(dims["head_dim"] * dims["rotary_pct"]) // 2 * 2
        self.vision = ImageTower(dims)
        self.projector = Projector(dims["vision_d_model"], d_model)
        self.embed = Embedding(vocabulary, d_model)
        self.layers = Repeat(Block(dims), dims["n_layers"])
        self.norm = Norm(d_model)
        self.lm_head = Linear(d_model, vocabulary)
        if dims["tied"]:
            self.tie("lm_head.weight", "embed.weight")

    def flops(self, batch: int, length: int) -> Flops:
        seen = self.vision.flops(batch, 1) + self.projector.flops(batch, self.patches)
        text = max(1, length - self.patches)
        return seen + self.layers.flops(batch, length) + self.lm_head.flops(batch, text)

    def look(self, images: Array) -> Array:
        """Pictures as positions of the decoder, (B, C, Y, X) -> (B, N, d_model)."""
        return self.projector(self.vision(images).narrow(1, self.patches))

    def hidden(self, x: Array, past: int = 0) -> Array:
        """Final hidden states of positions after `past` others, (B, T, d_model)."""
        span = Span(x.trace, x.shape[1], past, rotary=self.rotated)
        for layer in self.layers.each(x.trace, wrapped=True):
            x = layer(x, span)
        return self.norm(x)

    def forward(self, images: Array, tokens: Array) -> Array:
        """Scores of the next token after every token of the text, (B, T, V)."""
        pictures = self.look(images)
        x = self.hidden(concatenate((pictures, self.embed(tokens)), 1))
        return at_places(self.lm_head, x.narrow(1, tokens.shape[1]))

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` pictures with texts, `length` positions together."""
        tokens = trace.given(batch, length - self.patches, dtype="int64")
        logits = self(trace.given(batch, *self.picture), tokens)
        logits.flatten(0, 1).float().cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """A picture and the last chunk of `length` positions, and the next token's scores."""
        tokens = trace.given(batch, length - self.patches, dtype="int64")
        pictures = self.look(trace.new((batch, *self.picture)))
        x = concatenate((pictures, self.embed(tokens)), 1)
        chunk = min(length, LanguageModel.prompt_chunk)
        self.lm_head(self.hidden(x.narrow(1, chunk), length - chunk).narrow(1, 1))

    def next_token(self, trace: Trace, batch: int, past: int) -> None:
        """One more token after `past` positions."""
        token = self.embed(trace.given(batch, 1, dtype="int64"))
        self.lm_head(self.hidden(token, past))
