"""Graphs: numbers of nodes, (N, A), and edges between them, (E, 2)."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .cells import read_numbers, wide
from .config import Config
from .scales import learned, scaled, unscaled
from .synthetic import Concept, noise

Graph = dict[str, Tensor]


def make(name: str, known: Concept, config: Config, answer: bool) -> Graph:
    """A ring, star, row or ladder, after the kind, with as many nodes as the level says."""
    count = max(1, round((0.5 + 0.5 * known.level) * config.num_nodes))
    first = torch.arange(count)
    if known.kind == 0:
        pairs = torch.stack((first, (first + 1) % count), dim=1)
    elif known.kind == 1:
        pairs = torch.stack((torch.zeros_like(first), first), dim=1)[1:]
    elif known.kind == 2:
        pairs = torch.stack((first[:-1], first[1:]), dim=1)
    else:
        pairs = torch.stack((first[:-2], first[2:]), dim=1)
    ramp = (first / config.num_nodes)[:, None]  # (N, 1)
    waves = torch.cos(ramp * 3 + torch.arange(config.node_features))  # (N, A)
    nodes = (0.5 + known.level) * waves
    nodes = nodes if answer else nodes + 0.05 * noise(known, name, *nodes.shape)
    return {"nodes": nodes, "edges": torch.cat((pairs, pairs.flip(1)))}


def load(name: str, cell: Any, config: Config, answer: bool) -> Graph:
    """The graph of a cell, or of a JSON file: an object of `nodes` and `edges`, two lists."""
    if isinstance(cell, str):
        text = cell if cell.lstrip().startswith("{") else Path(cell).read_text(encoding="utf-8")
        cell = json.loads(text)
    nodes = wide(read_numbers(cell["nodes"]), config.node_features, "a node")[: config.num_nodes]
    pairs = wide(read_numbers(cell["edges"]), 2, "an edge").long()
    return {"nodes": nodes, "edges": pairs[(pairs < len(nodes)).all(dim=1)]}


def learn(name: str, raws: list[Graph], config: Config) -> dict[str, Any]:
    """The scale of every number of a node."""
    return learned([graph["nodes"] for graph in raws])


def stack(
    name: str, raws: list[Graph], note: dict[str, Any], config: Config, answer: bool
) -> dict[str, Tensor]:
    """Nodes in deviations, (B, N, A), whether they are there, and edges filled with -1."""
    nodes = torch.zeros(len(raws), config.num_nodes, config.node_features)
    present = torch.zeros(len(raws), config.num_nodes, dtype=torch.bool)
    most = max(1, *(len(graph["edges"]) for graph in raws))
    edges = torch.full((len(raws), most, 2), -1)
    for i, graph in enumerate(raws):
        count = len(graph["nodes"])
        nodes[i, :count], present[i, :count] = scaled(graph["nodes"], note), True
        edges[i, : len(graph["edges"])] = graph["edges"]
    return {"nodes": nodes, "present": present, "edges": edges}


def write(
    name: str, found: dict[str, Tensor], i: int, note: dict[str, Any], stem: Path, config: Config
) -> str:
    """Save the likely nodes and edges of sample `i` as JSON; return the file's name."""
    path = stem.with_suffix(".json")
    there = (found["nodes"][i, :, -1] > 0).nonzero().flatten()
    nodes = unscaled(found["nodes"][i, there, :-1], note)
    pairs = (found["edges"][i][there][:, there] > 0).nonzero()
    record = {"nodes": [[round(x, 4) for x in row] for row in nodes.tolist()]}
    path.write_text(json.dumps(record | {"edges": pairs.tolist()}) + "\n", encoding="utf-8")
    return path.name
