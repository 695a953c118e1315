"""Rows of tables: a token for each cell or one vector for all of them, and a head per output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Embedding, Flops, Linear, Part, Repeat
from .norms import Norm
from .vision import Head, VitBlock


def positions(dims: Mapping[str, Any]) -> int:
    """Tokens of a row: the class token, and one for each cell."""
    return 1 + dims["num_numeric"] + (dims["num_categorical"] if dims["categorical"] else 0)


class FeatureTokens(Part):
    """A scale, a bias and a token for missing cells per number; rows of an embedding per word."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["d_model"]
        self.parameter("class_token", 1, 1, width)
        for name in ("number_weight", "number_bias", "number_missing"):
            self.parameter(name, dims["num_numeric"], width)
        if dims["categorical"]:
            self.parameter("word_bias", dims["num_categorical"], width)
            self.word_embed = Embedding(dims["num_categorical"] * dims["categories"], width)


class ResidualMLP(Part):
    """A residual perceptron block: norm, widening, narrowing (Gorishniy et al., 2021, 3.2)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.norm = Norm(dims["d_model"], "layernorm", True)
        self.up_proj = Linear(dims["d_model"], dims["d_ff"], True)
        self.down_proj = Linear(dims["d_ff"], dims["d_model"], True)


class TableModel(Part):
    """The last norm and a head for each output, added below what a subclass declares."""

    def add_heads(self, dims: Mapping[str, Any]) -> None:
        width = dims["d_model"]
        self.norm = Norm(width, "layernorm", True)
        if dims["gives_label"]:
            self.label_head = Head(width, dims["num_classes"])
        if dims["gives_value"]:
            self.value_head = Head(width, dims["num_targets"])
        if dims["gives_embedding"]:
            self.embedding_head = Head(width, dims["embedding_dim"])
        if dims["gives_cells"]:
            self.number_head = Head(width, dims["num_numeric"])
            if dims["categorical"]:
                self.category_head = Head(width, dims["num_categorical"] * dims["categories"])


class TabularTransformer(TableModel):
    """Feature tokens and `n_layers` pre-norm blocks (Gorishniy et al., 2021, section 3.3)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.positions = positions(dims)
        self.tokens = FeatureTokens(dims)
        self.blocks = Repeat(tabular_block(dims), dims["n_layers"])
        self.add_heads(dims)

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of `batch` rows, which are as long as the table is wide."""
        return super().flops(batch, self.positions)


def tabular_block(dims: Mapping[str, Any]) -> VitBlock:
    """One layer of the transformer."""
    return VitBlock(*(dims[k] for k in ("d_model", "n_heads", "head_dim", "d_ff")))


class TabularMLP(TableModel):
    """Numbers, marks of missing ones and embedded words through `n_layers` residual blocks."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = 2 * dims["num_numeric"]
        if dims["categorical"]:
            rows = dims["num_categorical"] * dims["categories"]
            self.word_embed = Embedding(rows, dims["word_dim"])
            width += dims["num_categorical"] * dims["word_dim"]
        self.in_proj = Linear(width, dims["d_model"], True)
        self.blocks = Repeat(ResidualMLP(dims), dims["n_layers"])
        self.add_heads(dims)

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of `batch` rows."""
        return super().flops(batch, 1)
