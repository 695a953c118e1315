"""One graph, and the neighbourhoods of its nodes.

A neighbourhood holds all that a network of `n_layers` layers reads of some nodes: their neighbours,
the neighbours of those, and so on, at most as many of each as `fan_outs` says (Hamilton et al.
2017, algorithm 2). With fan-outs above every degree the network answers as on the whole graph.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from .config import Config

Edge = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """Some nodes of a graph, `edges` between their places in `nodes`, and their full degrees."""

    nodes: list[int]
    edges: list[Edge]
    degree: list[float]


class Graph:
    """Features of nodes, (N, A), and undirected edges between them, each as two, (2, E)."""

    def __init__(self, features: Tensor, pairs: Sequence[Edge] | Tensor):
        nodes = len(features)
        self.features = features
        pairs = torch.as_tensor(pairs, dtype=torch.long).reshape(-1, 2)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]].sort(dim=1).values
        self.pairs = torch.unique(pairs, dim=0)  # each once, smaller number first
        both = torch.cat((self.pairs, self.pairs.flip(1))).T  # (2, E)
        self.edges = both[:, both[1].argsort(stable=True)]
        counts = self.edges[1].bincount(minlength=nodes)
        self.degree = counts.float()  # (N,)
        self._ends = [0, *counts.cumsum(0).tolist()]
        self._keys = set((self.pairs[:, 0] * nodes + self.pairs[:, 1]).tolist())

    def __len__(self) -> int:
        return len(self.features)

    def near(self, node: int) -> list[int]:
        """The neighbours of a node."""
        return self.edges[0, self._ends[node] : self._ends[node + 1]].tolist()

    def linked(self, first: int, second: int) -> bool:
        """Whether two nodes are neighbours."""
        low, high = sorted((first, second))
        return low * len(self) + high in self._keys

    def around(
        self,
        seeds: Sequence[int],
        fan_outs: Sequence[int],
        rng: Random,
        hidden: Collection[Edge] = (),
    ) -> Piece:
        """The neighbourhood of `seeds`, which come first, without the `hidden` links."""
        place = {node: i for i, node in enumerate(dict.fromkeys(seeds))}
        lost = {edge for pair in hidden for edge in (pair, pair[::-1])}
        edges, ring = [], list(place)
        for fan in fan_outs:
            found = []
            for target in ring:
                sources = [s for s in self.near(target) if (s, target) not in lost]
                if len(sources) > fan:
                    sources = rng.sample(sources, fan)
                for source in sources:
                    if source not in place:
                        place[source] = len(place)
                        found.append(source)
                    edges.append((place[source], place[target]))
            ring = found
        degree = self.degree[list(place)].tolist()
        for _, target in lost:
            degree[place[target]] -= 1
        return Piece(list(place), edges, degree)

    def whole(self) -> dict[str, Tensor]:
        """All of the graph as a batch."""
        return {"nodes": self.features, "edges": self.edges, "degree": self.degree}

    def batch(self, pieces: Sequence[Piece]) -> tuple[dict[str, Tensor], list[int]]:
        """Pieces side by side as one graph, and the place of each one's first node."""
        nodes, edges, degree, starts = [], [], [], []
        for piece in pieces:
            starts.append(len(nodes))
            edges += [(starts[-1] + s, starts[-1] + t) for s, t in piece.edges]
            nodes += piece.nodes
            degree += piece.degree
        return {
            "nodes": self.features[nodes],  # (N, A)
            "edges": torch.tensor(edges, dtype=torch.long).reshape(-1, 2).T,  # (2, E)
            "degree": torch.tensor(degree),  # (N,)
        }, starts


def hops(config: Config) -> list[int]:
    """How many neighbours are read of a node, by its distance from where a sample begins."""
    fans = list(config.fan_outs)
    return (fans + fans[-1:] * config.n_layers)[: config.n_layers]


def random_pieces(config: Config, count: int, seeds: int, seed: int) -> dict[str, Tensor]:
    """Random features and edges in the sizes of `count` neighbourhoods of `seeds` nodes each."""
    around, ring = 1, 1
    for fan in hops(config):
        ring *= fan
        around += ring
    nodes = max(2, min(seeds * around, config.num_nodes))
    generator = torch.Generator().manual_seed(seed)
    shape = (count, config.degree * nodes)
    sources = torch.randint(nodes - 1, shape, generator=generator)
    targets = torch.arange(nodes).repeat(config.degree).expand(count, -1)
    sources = sources + (sources >= targets)  # no edge from a node to itself
    starts = nodes * torch.arange(count).unsqueeze(1)
    edges = torch.stack((sources + starts, targets + starts)).flatten(1)  # (2, E)
    return {
        "nodes": torch.randn(count * nodes, config.node_features, generator=generator),
        "edges": edges,
        "degree": torch.full((count * nodes,), float(config.degree)),
        "starts": starts.squeeze(1),
    }
