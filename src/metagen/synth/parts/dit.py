"""The diffusion transformer: patches, modulated blocks, a prediction for every patch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Embedding, Flops, Part, Repeat
from .dit_block import DitBlock, FinalLayer, TimeEmbedding
from .vision import PatchEmbed


class Dit(Part):
    """Twin of a class-conditioned or unconditional DiT (Peebles & Xie, 2023).

    `side` is that of the square that it denoises, in pixels or latent positions.
    """

    def __init__(
        self, dims: Mapping[str, Any], channels_in: int, channels_out: int, side: int
    ) -> None:
        super().__init__()
        width, patch = dims["d_model"], dims["patch_size"]
        self.positions = (side // patch) ** 2
        self.parameter("pos_embed", 1, self.positions, width, trainable=False)
        self.patch_embed = PatchEmbed(channels_in, width, patch, side)
        self.time_embed = TimeEmbedding(dims["time_features"], width)
        if dims["condition"] == "class":
            self.label_embed = Embedding(dims["num_classes"] + 1, width)
        self.blocks = Repeat(DitBlock(width, dims["n_heads"], dims["d_ff"]), dims["n_layers"])
        self.final = FinalLayer(width, patch * patch * channels_out)

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of one denoising step of `batch` samples."""
        return super().flops(batch, self.positions)
