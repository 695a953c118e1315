"""The transformer that reads prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Embedding, Flops, Part, Repeat
from .towers import TowerBlock, layer_norm


class PromptEncoder(Part):
    """Token and position embeddings, bidirectional blocks, final norm.

    `flops` takes its own number of tokens, `prompt_length`.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, self.length = dims["text_d_model"], dims["prompt_length"]
        self.embed = Embedding(dims["vocab_size"], width)
        self.pos_embed = Embedding(self.length, width)
        self.blocks = Repeat(TowerBlock(width, dims["text_d_ff"]), dims["text_n_layers"])
        self.norm = layer_norm(width)

    def flops(self, batch: int, length: int) -> Flops:
        return self.blocks.flops(batch, self.length)
