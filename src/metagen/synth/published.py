"""The published architecture that is nearest to a design."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import fsum, log, sqrt
from pathlib import Path
from typing import Any

from .topologies.base import Topology

#: Names, topologies and configurations of published models.
PUBLISHED: Sequence[Mapping[str, Any]] = json.loads(
    Path(__file__).with_name("published.json").read_text(encoding="utf-8")
)


def nearest_published(topology: Topology, dims: Mapping[str, Any]) -> tuple[str, float] | None:
    """The nearest published architecture of a topology and its distance; None without any.

    The distance is Euclidean over the natural logarithms of the dimensions that are shown.
    """
    distances = {}
    for model in PUBLISHED:
        if model["topology"] == topology.id:
            keys = [k for k in topology.shown if dims.get(k) and model["config"].get(k)]
            squares = (log(dims[k] / model["config"][k]) ** 2 for k in keys)
            distances[model["name"]] = sqrt(fsum(squares))
    if not distances:
        return None
    name = min(distances, key=lambda n: distances[n])
    return name, distances[name]
