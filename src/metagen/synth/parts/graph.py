"""Message passing on an edge index, and the networks made of it.

Node counts are `batch · length`; every node has `degree` edges that end in it. Gathering from and
adding to nodes by number is no matrix product, so PyTorch's counter misses it: `uncounted`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from .base import Flops, Linear, Part, Repeat, Tensor
from .convnets import Numbered
from .mlp import MLP
from .norms import Norm
from .vision import Head


class Conv(Part, ABC):
    """A message-passing layer over nodes with `degree` edges each."""

    def __init__(self, degree: int) -> None:
        super().__init__()
        self.degree = degree

    @abstractmethod
    def messages(self) -> int:
        """FLOPs for each node, all its edges together, outside matrix products."""

    def flops(self, batch: int, length: int) -> Flops:
        """The projections, and what the messages cost beside them."""
        passed = Flops(uncounted=batch * length * self.messages())
        return super().flops(batch, length) + passed


class GcnConv(Conv):
    """One projection, then sums weighted by degrees (Kipf and Welling, 2017, eq. 2)."""

    def __init__(self, in_features: int, out_features: int, degree: int) -> None:
        super().__init__(degree)
        self.width = out_features
        self.parameter("bias", out_features)
        self.proj = Linear(in_features, out_features)

    def messages(self) -> int:
        return 2 * (self.degree + 1) * self.width


class SageConv(Conv):
    """Projections of the neighbours' mean and of the node (Hamilton et al., 2017, algorithm 1)."""

    def __init__(self, in_features: int, out_features: int, degree: int) -> None:
        super().__init__(degree)
        self.width = in_features
        self.neighbor_proj = Linear(in_features, out_features, True)
        self.self_proj = Linear(in_features, out_features)

    def messages(self) -> int:
        return (self.degree + 1) * self.width


class GinConv(Conv):
    """A perceptron over a node and its neighbours' sum (Xu et al., 2019, eq. 4.1)."""

    def __init__(
        self, in_features: int, hidden_features: int, out_features: int, degree: int
    ) -> None:
        super().__init__(degree)
        self.width = in_features
        self.parameter("eps", 1)
        self.up_proj = Linear(in_features, hidden_features, True)
        self.down_proj = Linear(hidden_features, out_features, True)

    def messages(self) -> int:
        return (2 * self.degree + 1) * self.width


class GatConv(Conv):
    """Additive attention over the edges into a node (Velickovic et al., 2018, eq. 3 to 6).

    Heads are concatenated or averaged. A score takes two dot products for each node, a sum, the
    nonlinearity and the parts of a softmax (6 operations) for each edge.
    """

    def __init__(
        self, in_features: int, n_heads: int, head_dim: int, degree: int, *, concat: bool = True
    ) -> None:
        super().__init__(degree)
        self.n_heads, self.width = n_heads, n_heads * head_dim
        self.parameter("att_source", n_heads, head_dim)
        self.parameter("att_target", n_heads, head_dim)
        self.parameter("bias", self.width if concat else head_dim)
        self.proj = Linear(in_features, self.width)

    def messages(self) -> int:
        each = 2 * self.width + 6 * self.n_heads
        return 4 * self.width + (self.degree + 1) * each


class GraphBlock(Part):
    """Message passing and an MLP on a residual stream (Luo et al., 2024, section 3).

    Attention ends in a projection back to the stream; the perceptron of GIN is its MLP.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, degree, d_ff = dims["d_model"], dims["degree"], dims["d_ff"]
        self.conv_norm = Norm(width, "layernorm", True)
        if dims["block"] == "gat":
            self.conv: Conv = GatConv(width, dims["n_heads"], dims["head_dim"], degree)
            self.o_proj = Linear(dims["n_heads"] * dims["head_dim"], width, True)
        elif dims["block"] == "gcn":
            self.conv = GcnConv(width, width, degree)
        elif dims["block"] == "sage":
            self.conv = SageConv(width, width, degree)
        else:
            self.conv = GinConv(width, d_ff, width, degree)
        if dims["block"] != "gin":
            self.mlp_norm = Norm(width, "layernorm", True)
            self.mlp = MLP(width, d_ff, gated=False, bias=True)


class ConvRow(Repeat):
    """Convolutions of different widths in a row, under the numbers 0, 1, 2, ..."""

    def __init__(self, *convs: Conv) -> None:
        super().__init__(Numbered(*convs), 1)

    def _walk(self) -> Iterator[tuple[str, Tensor]]:
        return self.block.named_tensors()

    def at(self, path: str) -> Tensor:
        return self.block.at(path)

    def parts(self) -> Iterator[tuple[str, int, Part]]:
        yield "conv", 1, self.block


class GraphNetwork(Part):
    """Layers of message passing: a residual stack, or convolutions in a row as first published."""

    def __init__(self, dims: Mapping[str, Any], out_features: int) -> None:
        super().__init__()
        if dims["residual"]:
            self.in_proj = Linear(dims["node_features"], dims["d_model"], True)
            self.blocks = Repeat(GraphBlock(dims), dims["n_layers"])
            self.norm = Norm(dims["d_model"], "layernorm", True)
        else:
            self.blocks = ConvRow(*_row(dims, out_features))


class NodeClassifier(GraphNetwork):
    """A graph network and scores of the classes for one node of each sample."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(dims, dims["num_classes"])
        if dims["residual"]:
            self.head = Head(dims["d_model"], dims["num_classes"])


class PairScore(Linear):
    """One number for a pair of nodes."""

    def __init__(self, in_features: int) -> None:
        super().__init__(in_features, 1)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, 1)


class LinkPredictor(GraphNetwork):
    """A graph network, and a score for one pair of nodes of each sample."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        width = dims["embedding_dim"]
        super().__init__(dims, width)
        self.width = width
        self.parameter("bias", 1)
        if dims["residual"]:
            self.head = Linear(dims["d_model"], width, True)
        if dims["decoder"] == "mlp":
            self.pair_up = Head(width, width)
            self.pair_down = PairScore(width)

    def flops(self, batch: int, length: int) -> Flops:
        """The network, and the products of one pair for each sample."""
        return super().flops(batch, length) + Flops(uncounted=2 * batch * self.width)


class GraphReader(GraphNetwork):
    """A graph network, the nodes of each graph pooled, and a head for each output."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        width = dims["d_model"]
        super().__init__(dims, width)
        self.pooled = width
        if dims["gives_label"]:
            self.label_head = Head(width, dims["num_classes"])
        if dims["gives_value"]:
            self.value_head = Head(width, 1)
        if dims["gives_embedding"]:
            self.embedding_head = Head(width, dims["embedding_dim"])

    def flops(self, batch: int, length: int) -> Flops:
        """The network over all nodes, their sum, and the heads once for each graph."""
        return super().flops(batch, length) + Flops(uncounted=batch * length * self.pooled)


def _row(dims: Mapping[str, Any], out_features: int) -> list[Conv]:
    """Convolutions from the features to `out_features`, all others `d_model` wide."""
    hidden = [dims["d_model"]] * (dims["n_layers"] - 1)
    pairs = list(zip([dims["node_features"], *hidden], [*hidden, out_features], strict=True))
    degree = dims["degree"]
    if dims["block"] == "gat":
        heads = dims["n_heads"], dims["head_dim"], degree
        first = [GatConv(width, *heads) for width, _ in pairs[:-1]]
        ends = dims["out_heads"], out_features, degree
        return [*first, GatConv(pairs[-1][0], *ends, concat=False)]
    if dims["block"] == "gcn":
        return [GcnConv(*pair, degree) for pair in pairs]
    if dims["block"] == "sage":
        return [SageConv(*pair, degree) for pair in pairs]
    return [GinConv(width, out, out, degree) for width, out in pairs]
