"""The vision-language model: a picture tower, a projector and a decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Embedding, Flops, Linear, Part, Repeat
from .decoder_lm import Block
from .norms import Norm
from .towers import ImageTower, patches


class Projector(Part):
    """Two layers from the width of the picture tower to that of the decoder."""

    def __init__(self, width: int, d_model: int) -> None:
        super().__init__()
        self.up_proj = Linear(width, d_model, True)
        self.down_proj = Linear(d_model, d_model, True)


class VisionLanguageModel(Part):
    """`flops` reads one picture and `length` positions, the picture's patches included."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        d_model, vocabulary = dims["d_model"], dims["vocab_size"]
        self.patches = patches(dims)
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
