"""Rows of tables: a transformer with a token for each cell, and a residual perceptron."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log10
from typing import Any

from ...specs.errors import Problem
from ...specs.vocabulary import stand_in
from ..dims import Dim, choice, flag, number, real, text
from ..parts.base import Part
from ..parts.tabular import TabularMLP, TabularTransformer, positions, tabular_block
from ..solver import Frame, Shape, interpolate
from .base import Node, Work, short_run
from .mlp_stacks import mlp_shapes
from .outputs import SeveralOutputs
from .stack import STACK_NODES, StackTopology

_TABLE: Mapping[str, Dim] = {
    "gives_label": flag(True, "a class is among the outputs"),
    "gives_value": flag(False, "numbers are among the outputs"),
    "gives_embedding": flag(False, "a vector of length 1 is among the outputs"),
    "gives_cells": flag(False, "the cells of the table are among the outputs"),
    "categorical": flag(True, "the table has columns of words"),
    "num_numeric": number(8, "columns of numbers", high=10**6),
    "num_categorical": number(4, "columns of words", high=10**6),
    "categories": number(16, "words of a column, the missing one included", low=2, high=10**7),
    "num_classes": number(2, "labels to choose from", low=2, high=10**7),
    "num_targets": number(1, "numbers to predict", high=10**6),
    "embedding_dim": number(64, "width of the embedding", high=2**16),
    "temperature": real(0.1, "divisor of the cosines of embeddings", low=1e-3, high=10.0),
    "d_model": number(None, "width of the residual stream", high=2**18),
    "n_layers": number(None, "number of blocks", high=2048),
    "norm_eps": real(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
}
TRANSFORMER: Mapping[str, Dim] = {
    **_TABLE,
    "n_heads": number(None, "attention heads", high=4096),
    "head_dim": number(None, "width of one attention head", low=2, high=4096),
    "d_ff": number(None, "hidden width of the MLP", high=2**20),
    "activation": choice("gelu", "feed-forward nonlinearity", "gelu", "gelu_tanh", "quick_gelu"),
}
PERCEPTRON: Mapping[str, Dim] = {
    **_TABLE,
    "word_dim": number(8, "width of an embedded word", high=4096),
    "d_ff": number(None, "hidden width of a block", high=2**22),
}

#: The switches of the outputs with the modality, the loss, the metric and the rivals of each.
GIVES = {
    "gives_label": "label",
    "gives_value": "value",
    "gives_embedding": "embedding",
    "gives_cells": "tabular",
}
LOSSES = {
    "gives_label": "cross-entropy of the label",
    "gives_value": "squared error of the values",
    "gives_embedding": "supervised contrast of the embedding",
    "gives_cells": "surprise at hidden cells",
}
METRICS = {
    "gives_label": "accuracy",
    "gives_value": "mean absolute error",
    "gives_embedding": "recall@1",
    "gives_cells": "area under the ROC curve",
}
TRIVIAL = {
    "gives_label": ("linear model", "majority class"),
    "gives_value": ("linear model", "mean"),
    "gives_embedding": ("nearest row by its columns", "chance"),
    "gives_cells": ("distance from the means",),
}
#: The dimensions that a switch brings with it.
OWN = {
    "categorical": ("num_categorical", "categories", "word_dim"),
    "gives_label": ("num_classes",),
    "gives_value": ("num_targets",),
    "gives_embedding": ("embedding_dim", "temperature"),
}
#: One column in three holds words, where a table has so many.
FEWEST_WITH_WORDS = 3
#: (log10 of the budget, blocks) of the transformer; the published default has three.
DEPTH = ((5, 2), (6, 3), (8, 6), (10, 16), (12, 64))
#: Widths that are tried where many columns leave no room for the customary ones.
NARROW = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)

DATA = "CSV with a header; empty: built in"
TARGET = "columns to predict, commas between them; empty: the last ones"


class TableTopology(SeveralOutputs):
    """What models of tables share."""

    covers = {
        "inputs": frozenset({"tabular"}),
        "outputs": frozenset(GIVES.values()),
        "objective": frozenset({"classification", "regression", "contrastive", "reconstruction"}),
        "task": frozenset({"classification", "regression", "embedding", "anomaly_detection"}),
        "family": frozenset({"transformer", "mlp"}),
    }
    served_as = "the prediction of its outputs"
    losses = LOSSES
    own = OWN
    unit = "row"
    aliases = {"num_numerical": "num_numeric", "d_token": "d_model", "n_blocks": "n_layers",
               "d_block": "d_model", "hidden_size": "d_model"}  # fmt: skip
    programs = ("common", "scores", "plots", "tables")
    settings = {"data": text(DATA), "target": text(TARGET)}
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "d_ff": "Feed-forward width",
        "num_numeric": "Columns of numbers",
        "num_categorical": "Columns of words",
    }
    batch = 512
    learning_rate = 1e-3
    learning_rate_source = "custom"
    most_units_per_param = 20.0

    def given(self, spec: Any) -> dict[str, Any]:
        """What is given, how many columns there are, and the sizes that the task states."""
        outputs = set(map(stand_in, spec.modality.outputs))
        task = spec.task
        judged = task.type == "anomaly_detection"  # by what the rest of a row leads one to expect
        if judged or spec.training.objective[0] == "reconstruction":
            outputs = {"tabular"}
        dims: dict[str, Any] = {name: word in outputs for name, word in GIVES.items()}
        asked = {n: getattr(task, n) for n in ("num_classes", "num_targets", "embedding_dim")}
        columns = task.num_features
        if columns:
            words = columns // 3 if columns >= FEWEST_WITH_WORDS else 0
            dims |= {"num_numeric": columns - words, "categorical": words > 0}
            asked["num_categorical"] = words
        return dims | {name: value for name, value in asked.items() if value}

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        if all(pins.get(name, self.table[name].default) is False for name in GIVES):
            return [Problem("architecture.dims.gives_label", "no output is left")]
        return []

    # -- costs --------------------------------------------------------------------------------

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        cells = positions(dims) - 1
        return Work(model.flops(1, self.length(dims)), 1, f"one row of {cells:,} columns")

    def answers(self, dims: Mapping[str, Any]) -> int:
        """Numbers that the heads give for a row."""
        words = dims["num_categorical"] * dims["categories"] if dims["categorical"] else 0
        widths = (dims["num_classes"], dims["num_targets"], dims["embedding_dim"],
                  dims["num_numeric"] + words)  # fmt: skip
        return sum(width for name, width in zip(GIVES, widths, strict=True) if dims[name])

    # -- code and documents -------------------------------------------------------------------

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        # A contrast, or a mean over hidden cells, is of one micro-batch
        whole = switches["gives_embedding"] or switches["gives_cells"]
        idle = ["accumulation"] if whole else []
        idle += [] if switches["gives_cells"] else ["hiding", "oddness"]
        answers = any(switches[name] for name in GIVES if name != "gives_cells")
        return (*idle, *([] if answers else ["linear"]))

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "num_numeric": min(8, dims["num_numeric"]),
            "num_categorical": min(4, dims["num_categorical"]),
            "categories": min(16, dims["categories"]),
            "num_classes": min(4, dims["num_classes"]),
            "num_targets": min(4, dims["num_targets"]),
            "embedding_dim": min(32, dims["embedding_dim"]),
            "d_model": min(64, dims["d_model"]),
            "n_layers": min(2, dims["n_layers"]),
            "d_ff": min(128, dims["d_ff"]),
            **short_run(steps=600, batch=128, learning_rate=0.003, warmup=30),
            "val_fraction": 0.1,
            "eval_interval": 200,
            "eval_samples": 512,
            "checkpoint_interval": 300,
        }

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        given = [name for name in GIVES if dims[name]]
        facts = {
            "metric": ", ".join(METRICS[name] for name in given),
            "trivial": ", ".join(dict.fromkeys(w for name in given for w in TRIVIAL[name])),
        }
        return super().words(spec, dims) | {"infer_args": "--limit 12", **facts}

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        stream = ["batch", self.length(dims), dims["d_model"]]
        if self.length(dims) == 1:
            stream = ["batch", dims["d_model"]]
        return {node.id: stream for node in self.nodes} | {
            "row": ["batch", positions(dims) - 1],
            "norm": ["batch", dims["d_model"]],
            "head": ["batch", self.answers(dims)],
            "loss": [],
        }


HEADS = ("label_head", "value_head", "embedding_head", "number_head", "category_head")


class TabularTopology(TableTopology, StackTopology):
    """A token for each cell of a row, and attention among them."""

    id = "tabular_transformer"
    phrase = "transformer over columns"
    table = TRANSFORMER
    aliases = TableTopology.aliases | {"attention_n_heads": "n_heads"}
    floor = {"d_model": 16, "n_layers": 1, "n_heads": 1, "head_dim": 16, "d_ff": 16}
    learning_rate = 1e-4
    learning_rate_source = "the default of Gorishniy et al., 2021"
    narrow = NARROW
    top = "tabular_transformer"
    exports = ("TabularTransformer", "build_model")
    shown = TableTopology.shown | {"n_heads": "Attention heads", "head_dim": "Head dimension"}
    nodes = (
        Node("row", "input"),
        Node("embed", "a token for each cell", ("tokens",)),
        *STACK_NODES,
        Node("head", "output heads", HEADS),
        Node("loss", "sum of losses"),
    )

    def build(self, dims: Mapping[str, Any]) -> TabularTransformer:
        return TabularTransformer(dims)

    def block(self, dims: Mapping[str, Any]) -> Part:
        return tabular_block(dims)

    def aspect(self, budget: float) -> float:
        depth = interpolate(DEPTH, log10(max(budget, 1e5)))
        return max(1.0, (budget / 12 / depth) ** 0.5 / depth)

    def bulk(self, dims: Mapping[str, Any]) -> float:
        return 12.0

    def length(self, dims: Mapping[str, Any]) -> int:
        return positions(dims)

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims) | {"attn_qkv_bias": True}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().tiny(dims) | {
            "d_model": min(32, dims["d_model"]),
            "n_heads": min(4, dims["n_heads"]),
            "head_dim": min(8, dims["head_dim"]),
            "d_ff": min(64, dims["d_ff"]),
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["n_heads"] > 1:
            yield "Heads", "all heads but one: one head remains", {"n_heads": 1}


class PerceptronTopology(TableTopology):
    """All cells of a row as one vector, through residual blocks."""

    id = "tabular_mlp"
    phrase = "residual perceptron for tables"
    table = PERCEPTRON
    aliases = TableTopology.aliases | {"d_hidden": "d_ff"}
    floor = {"d_model": 8, "n_layers": 1, "d_ff": 8}
    top = "tabular_mlp"
    exports = ("TabularMLP", "build_model")
    nodes = (
        Node("row", "input"),
        Node("embed", "embedded words and a projection", ("word_embed", "in_proj")),
        Node("mlp", "residual perceptron", ("blocks",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("head", "output heads", HEADS),
        Node("loss", "sum of losses"),
    )

    def build(self, dims: Mapping[str, Any]) -> TabularMLP:
        return TabularMLP(dims)

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        return mlp_shapes(self, budget, frame, [self.base(budget, frame)])
