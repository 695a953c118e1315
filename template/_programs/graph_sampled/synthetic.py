"""The built-in graph: communities whose members' features say little about them.

A stochastic block model (Holland et al. 1983), as of papers that mostly cite their own field: most
edges stay within a community, so what a node is shows in the company it keeps.
"""

import torch
from torch import Tensor

from .config import Config
from .graph import Graph

MOST_NODES = 20_000
EDGES = 4  # drawn for each node; it gets about as many again from others
SIGNAL = 1.0  # length of what the features say, beside noise of length 1 in every direction


def community_graph(config: Config, communities: int, inside: float) -> tuple[Graph, Tensor]:
    """A graph of `config.num_nodes` nodes or fewer, and their communities, (N,).

    The share `inside` of the edges is drawn within communities, the rest between any two nodes.
    """
    generator = torch.Generator().manual_seed(config.seed)
    nodes = min(config.num_nodes, MOST_NODES)
    communities = max(2, min(communities, nodes // 8))
    label = torch.arange(nodes) % communities
    codes = torch.randn(communities, config.node_features, generator=generator)
    codes = codes / codes.norm(dim=1, keepdim=True)
    noise = torch.randn(nodes, config.node_features, generator=generator)
    source = torch.arange(nodes).repeat(EDGES)
    anyone = torch.randint(nodes, source.shape, generator=generator)
    shared = torch.rand(source.shape, generator=generator) < inside
    kin = anyone - anyone % communities + source % communities  # a node of the same community
    target = torch.where(shared & (kin < nodes), kin, anyone)
    pairs = torch.stack((source, target), dim=1)
    return Graph(SIGNAL * codes[label] + noise, pairs), label
