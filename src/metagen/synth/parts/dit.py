"""The diffusion transformer: patches, modulated blocks, a prediction for every patch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .base import Embedding, Flops, Part, Repeat
from .dit_block import DitBlock, FinalLayer, TimeEmbedding, unpatch
from .vision import PatchEmbed

if TYPE_CHECKING:
    from ..arrays import Array


class Dit(Part):
    """Twin of a class-conditioned or unconditional DiT (Peebles & Xie, 2023).

    `side` is that of the square that it denoises, in pixels or latent positions.
    """

    def __init__(
        self, dims: Mapping[str, Any], channels_in: int, channels_out: int, side: int
    ) -> None:
        super().__init__()
        width, patch = dims["d_model"], dims["patch_size"]
        self.side, self.patch, self.positions = side, patch, (side // patch) ** 2
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

    def forward(self, noisy: Array, times: Array, labels: Array | None = None) -> Array:
        """(B, C, side, side) at (B,) -> (B, C', side, side)."""
        trace = noisy.trace
        x = self.patch_embed(noisy) + trace.weight(self, "pos_embed")
        c = self.time_embed(times)
        if labels is not None:
            c = c + self.label_embed(labels)
        for block in self.blocks.each(trace, wrapped=True):
            x = block(x, c)
        return unpatch(self.final(x, c), self.patch, self.side)
