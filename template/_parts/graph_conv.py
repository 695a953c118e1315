"""Message passing: what a node learns from the nodes that have an edge to it.

Edges are pairs of node numbers, source above target, (2, E); nothing has a row for every pair.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GcnConv(nn.Module):
    """The sum over a node and its neighbours, weighted by degrees (Kipf and Welling 2017, eq. 2).

    Where only some of a node's neighbours are at hand, each stands for its share of all of them.
    """

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.bias = nn.Parameter(torch.empty(out_features))
        self.proj = nn.Linear(in_features, out_features, bias=False)

    def forward(self, x: Tensor, edges: Tensor, degree: Tensor) -> Tensor:
        source, target = edges
        x = self.proj(x)  # (N, D_in) -> (N, D_out)
        scale = (degree + 1).rsqrt()  # (N,), the node itself counted
        weight = scale[source] * scale[target] * share(target, degree)  # (E,)
        own = x * scale.square().unsqueeze(1).type_as(x)
        messages = x[source] * weight.unsqueeze(1).type_as(x)  # (E, D_out)
        return own.index_add(0, target, messages) + self.bias


class SageConv(nn.Module):
    """A node beside the mean of its neighbours (Hamilton et al. 2017, algorithm 1)."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.neighbor_proj = nn.Linear(in_features, out_features)
        self.self_proj = nn.Linear(in_features, out_features, bias=False)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        source, target = edges
        weight = 1 / arriving(target, x.size(0)).clamp(min=1)  # (N,)
        total = torch.zeros_like(x).index_add(0, target, x[source])
        mean = total * weight.unsqueeze(1).type_as(x)  # (N, D_in)
        return self.neighbor_proj(mean) + self.self_proj(x)  # (N, D_in) -> (N, D_out)


class GinConv(nn.Module):
    """A perceptron over a node and the sum of its neighbours (Xu et al. 2019, eq. 4.1).

    Where only some of a node's neighbours are at hand, each stands for its share of all of them.
    """

    def __init__(self, in_features: int, hidden_features: int, out_features: int):
        super().__init__()
        self.eps = nn.Parameter(torch.empty(1))
        self.up_proj = nn.Linear(in_features, hidden_features)
        self.down_proj = nn.Linear(hidden_features, out_features)

    def forward(self, x: Tensor, edges: Tensor, degree: Tensor) -> Tensor:
        source, target = edges
        messages = x[source] * share(target, degree).unsqueeze(1).type_as(x)  # (E, D_in)
        x = (x * (1 + self.eps)).type_as(x).index_add(0, target, messages)
        return self.down_proj(F.relu(self.up_proj(x)))  # (N, D_in) -> (N, D_out)


class GatConv(nn.Module):
    """Attention of a node to itself and its neighbours (Velickovic et al. 2018, eq. 3 to 6)."""

    def __init__(self, in_features: int, n_heads: int, head_dim: int, concat: bool = True):
        super().__init__()
        self.concat = concat
        self.att_source = nn.Parameter(torch.empty(n_heads, head_dim))
        self.att_target = nn.Parameter(torch.empty(n_heads, head_dim))
        self.bias = nn.Parameter(torch.empty(n_heads * head_dim if concat else head_dim))
        self.proj = nn.Linear(in_features, n_heads * head_dim, bias=False)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        nodes = torch.arange(x.size(0), device=x.device)
        source, target = torch.cat((edges, nodes.expand(2, -1)), dim=1)  # every node sees itself
        x = self.proj(x).unflatten(-1, self.att_source.shape)  # (N, D_in) -> (N, H, K)
        scores = (x * self.att_source).sum(-1)[source] + (x * self.att_target).sum(-1)[target]
        weight = softmax_by_target(F.leaky_relu(scores, 0.2), target, x.size(0))  # (E, H)
        messages = x[source] * weight.unsqueeze(-1).type_as(x)  # (E, H, K)
        x = torch.zeros_like(x).index_add(0, target, messages)  # (N, H, K)
        return (x.flatten(1) if self.concat else x.mean(1)) + self.bias


def arriving(target: Tensor, nodes: int) -> Tensor:
    """The number of edges that end in each of the nodes, (N,)."""
    ones = torch.ones(target.size(0), device=target.device)
    return torch.zeros(nodes, device=target.device).index_add(0, target, ones)


def share(target: Tensor, degree: Tensor) -> Tensor:
    """How many edges of its target each edge stands for, (E,): 1 where all of them are there."""
    found = arriving(target, degree.size(0))
    return (degree / found.clamp(min=1))[target]


def softmax_by_target(scores: Tensor, target: Tensor, nodes: int) -> Tensor:
    """Scores of edges, (E, H), as shares that add up to 1 over the edges into each node."""
    scores = scores.float()
    index = target.unsqueeze(1).expand_as(scores)
    shape = (nodes, scores.size(1))
    least = torch.full(shape, -torch.inf, device=scores.device)
    peak = least.scatter_reduce(0, index, scores.detach(), "amax")  # (N, H)
    shares = (scores - peak[target]).exp()
    total = torch.zeros(shape, device=scores.device).index_add(0, target, shares)
    return shares / total[target]
