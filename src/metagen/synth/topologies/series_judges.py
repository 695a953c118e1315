"""Models that judge series: a detector of anomalies, and a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..dims import number, real, text
from ..parts.base import Part
from ..parts.forecasting import (
    ROUNDS,
    SeriesClassifier,
    SeriesDetector,
)
from .base import Node, Work, short_run
from .series import BLOCKS, SERIES, SeriesTopology
from .stack import STACK_NODES


class SeriesDetectorTopology(SeriesTopology):
    """Patches, attention and MLP, and a head that restores hidden patches."""

    id = "series_detector"
    phrase = "patch transformer for anomalies"
    objective = "reconstruction of hidden patches"
    covers = {
        "inputs": frozenset({"time_series"}),
        "outputs": frozenset({"label", "value", "time_series"}),
        "objective": frozenset({"reconstruction"}),
        "task": frozenset({"anomaly_detection"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "anomaly detection: the answer is how badly a value fits"
    table = SERIES | BLOCKS
    top = "series_detector"
    exports = ("SeriesDetector", "build_model")
    programs = ("common", "held_out", "series", "anomalies")
    settings = {
        "data": text("CSV with a column per variable, and `label` where it is known; empty: "
                     "built-in series"),
        "hidden_share": real(0.25, "share of the patches that training hides", low=0.01, high=0.9),
        "false_alarms": real(0.01, "share of the training values that may be called anomalies",
                             low=1e-6, high=0.5),
    }  # fmt: skip
    overlaps = False
    masked = True
    nodes = (
        Node("values", "input"),
        Node("patches", "standardised patches, some of them hidden"),
        Node("embed", "patch embedding", ("positions", "mask_token", "embed")),
        *STACK_NODES,
        Node("head", "patch restoration", ("head",)),
        Node("loss", "squared error of hidden patches"),
    )

    def build(self, dims: Mapping[str, Any]) -> SeriesDetector:
        return SeriesDetector(dims)

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """Every patch is hidden once, in one of several passes."""
        return Work(super().work(model, dims).flops * ROUNDS, 1, f"one series, {ROUNDS} passes")

    def training_work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        return super().work(model, dims)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return (
            self.tiny_series(dims, 64, 4)
            | self.tiny_stack(dims)
            | {
                **short_run(steps=1200, batch=32, learning_rate=0.003, warmup=30),
                "eval_interval": 300,
                "eval_samples": 128,
                "checkpoint_interval": 250,
            }
        )

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        shapes = super().node_shapes(dims)
        return shapes | {"head": shapes["patches"]}


class SeriesClassifierTopology(SeriesTopology):
    """Patches, attention and MLP, and a head that reads the mean of all patches."""

    id = "series_classifier"
    phrase = "patch transformer for classes of series"
    objective = "classification"
    covers = {
        "inputs": frozenset({"time_series"}),
        "outputs": frozenset({"label"}),
        "objective": frozenset({"classification"}),
        "task": frozenset({"classification"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "classification: the answer is a label"
    table = SERIES | {"num_classes": number(8, "labels to choose from", low=2, high=10**7)} | BLOCKS
    top = "series_classifier"
    exports = ("SeriesClassifier", "build_model")
    programs = ("common", "batches", "classes", "classifier", "series", "series_labels")
    settings = {
        "data": text("folder of CSV tables by class, or CSV of label,values...; empty: built in"),
    }
    nodes = (
        Node("values", "input"),
        Node("patches", "standardised patches"),
        Node("embed", "patch embedding", ("positions", "embed")),
        *STACK_NODES,
        Node("head", "classification head", ("head",)),
        Node("loss", "cross-entropy over the classes"),
    )

    def build(self, dims: Mapping[str, Any]) -> SeriesClassifier:
        return SeriesClassifier(dims)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return (
            self.tiny_series(dims, 64, 8)
            | self.tiny_stack(dims)
            | {
                "num_classes": min(6, dims["num_classes"]),
                **short_run(steps=300, batch=32, learning_rate=0.003, warmup=30),
                "eval_interval": 150,
                "eval_samples": 128,
                "checkpoint_interval": 150,
            }
        )

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        return super().node_shapes(dims) | {"head": ["batch", dims["num_classes"]]}
