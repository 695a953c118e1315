"""The contrastive dual encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Flops, Linear, Part
from .towers import AttentionPool, ImageTower, TextTower, layer_norm


class DualEncoder(Part):
    """Two towers, what pools the picture's, their projections, and the scale of the logits.

    `flops` scores `batch` pairs against each other; the length of the texts is the model's own.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["vision_d_model"]
        self.shared = dims["embed_dim"]
        self.parameter("logit_scale", 1)
        if dims["loss"] == "sigmoid":
            self.parameter("logit_bias", 1)
        self.text = TextTower(dims)
        self.image = ImageTower(dims)
        self.image_norm = layer_norm(width)
        if dims["image_pool"] == "attention":
            self.image_pool = AttentionPool(width, dims["vision_d_ff"], self.image.positions)
        self.text_proj = Linear(dims["text_d_model"], self.shared, dims["text_proj_bias"])
        if dims["image_proj"]:
            self.image_proj = Linear(width, self.shared)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, 1) + Flops(2 * batch * batch * self.shared)
