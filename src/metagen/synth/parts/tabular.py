"""Rows of tables: a token for each cell or one vector for all of them, and a head per output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .base import Embedding, Flops, Linear, Part, Repeat
from .norms import Norm, unit
from .vision import Head, VitBlock

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


def positions(dims: Mapping[str, Any]) -> int:
    """Tokens of a row: the class token, and one for each cell."""
    return 1 + dims["num_numeric"] + (dims["num_categorical"] if dims["categorical"] else 0)


@dataclass(frozen=True)
class Row:
    """Cells of rows: numbers (B, N), which are missing (B, N), and words (B, C)."""

    numbers: Array
    absent: Array
    words: Array


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

    def forward(self, row: Row) -> Array:
        """The tokens of rows, (B, T, D)."""
        trace, batch = row.numbers.trace, row.numbers.shape[0]
        weight, bias, missing, first = (
            trace.weight(self, name)
            for name in ("number_weight", "number_bias", "number_missing", "class_token")
        )
        present = row.numbers.unsqueeze(-1) * weight + bias
        tokens = [
            first.expand(batch, *first.shape[1:]),
            trace.compute((row.absent, missing, present), present.shape, present.dtype),
        ]
        if "word_embed" in self.children:
            columns = trace.new(row.words.shape[1:], "int64")
            rows = row.words + columns * 1.0
            trace.keep(rows)
            tokens.append(self.word_embed(rows) + trace.weight(self, "word_bias"))
        return concatenate(tokens, 1)


class ResidualMLP(Part):
    """A residual perceptron block: norm, widening, narrowing (Gorishniy et al., 2021, 3.2)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.norm = Norm(dims["d_model"], "layernorm", True)
        self.up_proj = Linear(dims["d_model"], dims["d_ff"], True)
        self.down_proj = Linear(dims["d_ff"], dims["d_model"], True)

    def forward(self, x: Array) -> Array:
        """(B, D) -> the same."""
        hidden = self.up_proj(self.norm(x)).apply("relu")
        return x + self.down_proj(hidden)


class TableModel(Part, ABC):
    """The last norm and a head for each output, added below what a subclass declares."""

    @abstractmethod
    def features(self, row: Row) -> Array:
        """One vector for each row, (B, D)."""

    def add_heads(self, dims: Mapping[str, Any]) -> None:
        width = dims["d_model"]
        self.cells = (dims["num_numeric"], dims["num_categorical"] if dims["categorical"] else 0)
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

    def forward(self, row: Row) -> dict[str, Array]:
        """What each head gives, by the head's name."""
        x = self.norm(self.features(row)).apply("relu")
        heads = {name: part for name, part in self.children.items() if name.endswith("_head")}
        found = {name: head(x) for name, head in heads.items()}
        if "embedding_head" in found:
            found["embedding_head"] = unit(found["embedding_head"])
        return found

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` rows."""
        numbers, words = self.cells
        row = Row(
            trace.given(batch, numbers),
            trace.given(batch, numbers, dtype="bool"),
            trace.given(batch, words, dtype="int64"),
        )
        found = {name: array.float() for name, array in self(row).items()}
        if "label_head" in found:
            found["label_head"].cross_entropy()
        if "value_head" in found:
            found["value_head"].squared_error(trace.given(*found["value_head"].shape))
        if "embedding_head" in found:
            contrast(found["embedding_head"])
        if "number_head" in found:
            errors = (found["number_head"] - row.numbers).apply("pow") / 2.0
            if words:
                nats = found["category_head"].unflatten(1, (words, -1)).softmax().select(-1)
                errors = concatenate((errors, nats), 1)
            (errors * trace.new(errors.shape, "bool")).sum()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """What is given for `batch` rows, which are there first."""
        numbers, words = self.cells
        self(
            Row(
                trace.new((batch, numbers)),
                trace.new((batch, numbers), "bool"),
                trace.new((batch, words), "int64"),
            )
        )


class TabularTransformer(TableModel):
    """Feature tokens and `n_layers` pre-norm blocks (Gorishniy et al., 2021, section 3.3)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.positions = positions(dims)
        self.tokens = FeatureTokens(dims)
        self.blocks = Repeat(tabular_block(dims), dims["n_layers"])
        self.add_heads(dims)

    def features(self, row: Row) -> Array:
        """One vector for each row, (B, D)."""
        x = self.tokens(row)
        for block in self.blocks.each(x.trace):
            x = block(x)
        return x.select(1)

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of `batch` rows, which are as long as the table is wide."""
        return super().flops(batch, self.positions)


def tabular_block(dims: Mapping[str, Any]) -> VitBlock:
    """One layer of the transformer."""
    sizes = (dims[k] for k in ("d_model", "n_heads", "head_dim", "d_ff"))
    return VitBlock(*sizes, activation=dims["activation"])


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

    def features(self, row: Row) -> Array:
        """One vector for each row, (B, D)."""
        trace = row.numbers.trace
        pieces = [row.numbers, row.absent.to(row.numbers.dtype)]
        if "word_embed" in self.children:
            columns = trace.new(row.words.shape[1:], "int64")
            rows = row.words + columns * 1.0
            trace.keep(rows)
            pieces.append(self.word_embed(rows).flatten(1))
        x = self.in_proj(concatenate(pieces, 1))
        for block in self.blocks.each(trace):
            x = block(x)
        return x

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of `batch` rows."""
        return super().flops(batch, 1)


def contrast(vectors: Array) -> None:
    """Supervised contrast of vectors of length 1 (Khosla et al., 2020, eq. 2), (B, W)."""
    trace, shape = vectors.trace, (vectors.shape[0], vectors.shape[0])
    own, partners = (trace.new(shape, "bool") for _ in range(2))
    cosines = trace.compute((vectors @ vectors.transpose(0, 1), own), shape)
    trace.keep(own)
    nats = -(cosines / 1.0).softmax() * partners
    nats.sum(1) / partners.sum(1)
