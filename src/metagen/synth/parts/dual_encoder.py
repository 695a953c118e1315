"""The contrastive dual encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .base import Flops, Linear, Part
from .norms import unit
from .towers import AttentionPool, ImageTower, TextTower, layer_norm, tower_activation

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class DualEncoder(Part):
    """Two towers, what pools the picture's, their projections, and the scale of the logits.

    `flops` scores `batch` pairs against each other; the length of the texts is the model's own.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["vision_d_model"]
        self.shared = dims["embed_dim"]
        self.picture = (dims["channels"], dims["image_size"], dims["image_size"])
        self.parameter("logit_scale", 1)
        if dims["loss"] == "sigmoid":
            self.parameter("logit_bias", 1)
        self.text = TextTower(dims)
        self.image = ImageTower(dims)
        self.image_norm = layer_norm(width)
        if dims["image_pool"] == "attention":
            sizes = (dims["vision_d_ff"], dims["vision_n_heads"], self.image.positions)
            self.image_pool = AttentionPool(width, *sizes, tower_activation(dims))
        self.text_proj = Linear(dims["text_d_model"], self.shared, dims["text_proj_bias"])
        if dims["image_proj"]:
            self.image_proj = Linear(width, self.shared)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, 1) + Flops(2 * batch * batch * self.shared)

    def embed_image(self, images: Array) -> Array:
        """Unit vectors, (B, C, Y, X) -> (B, shared)."""
        x = self.image(images)
        if "image_pool" in self.children:
            x = self.image_pool(self.image_norm(x))
        else:
            x = self.image_norm(x.select(1))
        if "image_proj" in self.children:
            x = self.image_proj(x)
        return unit(x)

    def forward(self, tokens: Array, images: Array) -> Array:
        """Scaled similarities, (B, T) and (B, C, Y, X) -> (B, B)."""
        trace = tokens.trace
        texts = unit(self.text_proj(self.text(tokens)))
        logits = self.embed_image(images) @ texts.transpose(0, 1)
        logits = logits * trace.weight(self, "logit_scale").apply("exp").apply("clamp")
        if "logit_bias" in self.tensors:
            return logits + trace.weight(self, "logit_bias")
        return logits

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` pairs."""
        tokens = trace.given(batch, self.text.length, dtype="int64")
        logits = self(tokens, trace.given(batch, *self.picture)).float()
        if "logit_bias" in self.tensors:
            (trace.new(logits.shape, "fp32") * logits).apply("logsigmoid").sum(-1).mean()
        else:
            logits.cross_entropy()
            logits.transpose(0, 1).cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """The similarities of `batch` pairs, which are there first."""
        tokens = trace.new((batch, self.text.length), "int64")
        self(tokens, trace.new((batch, *self.picture)))
