"""Message passing on an edge index, and the networks made of it.

Node counts are `batch · length`; every node has `degree` edges that end in it. Gathering from and
adding to nodes by number is no matrix product, so PyTorch's counter misses it: `uncounted`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .base import Flops, Linear, Numbered, Part, Repeat, Tensor
from .mlp import MLP
from .norms import Norm, unit
from .tabular import contrast
from .vision import Head

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


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

    def collect(self, x: Array, start: Array, weight: Array | None = None) -> Array:
        """`start` and the rows of `x`, (N, ...), that edges lead from, weighted, where they end."""
        edges = self.degree * x.shape[0]
        messages = rows_of(x, edges)
        if weight is not None:
            messages = messages * weight
        return added(start, messages, x.shape[0] * self.messages())


class GcnConv(Conv):
    """One projection, then sums weighted by degrees (Kipf and Welling, 2017, eq. 2)."""

    def __init__(self, in_features: int, out_features: int, degree: int) -> None:
        super().__init__(degree)
        self.width = out_features
        self.parameter("bias", out_features)
        self.proj = Linear(in_features, out_features)

    def messages(self) -> int:
        return 2 * (self.degree + 1) * self.width

    def forward(self, x: Array) -> Array:
        """(N, in_features) -> (N, out_features)."""
        trace, nodes = x.trace, x.shape[0]
        x = self.proj(x)
        scale = (trace.given(nodes) + 1.0).apply("rsqrt")
        weight = trace.new((self.degree * nodes,), "fp32")
        own = x * (scale * scale).unsqueeze(1).to(x.dtype)
        out = self.collect(x, own, weight.unsqueeze(1).to(x.dtype))
        return out + trace.weight(self, "bias")


class SageConv(Conv):
    """Projections of the neighbours' mean and of the node (Hamilton et al., 2017, algorithm 1)."""

    def __init__(self, in_features: int, out_features: int, degree: int) -> None:
        super().__init__(degree)
        self.width = in_features
        self.neighbor_proj = Linear(in_features, out_features, True)
        self.self_proj = Linear(in_features, out_features)

    def messages(self) -> int:
        return (self.degree + 1) * self.width

    def forward(self, x: Array) -> Array:
        """(N, in_features) -> (N, out_features)."""
        trace = x.trace
        weight = trace.new((x.shape[0],), "fp32")
        total = self.collect(x, trace.new(x.shape, x.dtype))
        mean = total * weight.unsqueeze(1).to(x.dtype)
        return self.neighbor_proj(mean) + self.self_proj(x)


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

    def forward(self, x: Array) -> Array:
        """(N, in_features) -> (N, out_features)."""
        trace = x.trace
        weight = trace.new((self.degree * x.shape[0], 1), x.dtype)
        own = (x * (trace.weight(self, "eps") + 1.0)).to(x.dtype)
        x = self.collect(x, own, weight)
        return self.down_proj(self.up_proj(x).apply("relu"))


class GatConv(Conv):
    """Additive attention over the edges into a node (Velickovic et al., 2018, eq. 3 to 6).

    Heads are concatenated or averaged. A score takes two dot products for each node, a sum, the
    nonlinearity and the parts of a softmax (6 operations) for each edge.
    """

    def __init__(
        self, in_features: int, n_heads: int, head_dim: int, degree: int, *, concat: bool = True
    ) -> None:
        super().__init__(degree)
        self.n_heads, self.width, self.concat = n_heads, n_heads * head_dim, concat
        self.parameter("att_source", n_heads, head_dim)
        self.parameter("att_target", n_heads, head_dim)
        self.parameter("bias", self.width if concat else head_dim)
        self.proj = Linear(in_features, self.width)

    def messages(self) -> int:
        each = 2 * self.width + 6 * self.n_heads
        return 4 * self.width + (self.degree + 1) * each

    def forward(self, x: Array) -> Array:
        """(N, in_features) -> (N, out_features)."""
        trace, nodes = x.trace, x.shape[0]
        edges = (self.degree + 1) * nodes  # every node sees itself
        ends = trace.new((2, edges), "int64")
        x = self.proj(x).unflatten(-1, (self.n_heads, -1))
        if x.grad:
            trace.keep(ends)
        scores = rows_of((x * trace.weight(self, "att_source")).sum(-1), edges)
        scores = scores + rows_of((x * trace.weight(self, "att_target")).sum(-1), edges)
        weight = self.shares(scores.apply("leaky_relu"), nodes)
        messages = rows_of(x, edges) * weight.unsqueeze(-1).to(x.dtype)
        x = added(trace.new(x.shape, x.dtype), messages, nodes * self.messages())
        x = x.flatten(1) if self.concat else x.mean(1)
        return x + trace.weight(self, "bias")

    def shares(self, scores: Array, nodes: int) -> Array:
        """Scores of edges, (E, H), as shares that add up to 1 over the edges into each node."""
        trace, shape = scores.trace, (nodes, self.n_heads)
        scores = scores.float()
        least, peak = (trace.new(shape, "fp32") for _ in range(2))
        shares = (scores - rows_of(peak, scores.shape[0])).apply("exp")
        total = added(trace.new(shape, "fp32"), shares)
        return shares / rows_of(total, scores.shape[0])


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
            self.mlp = MLP(width, d_ff, gated=False, bias=True, activation=dims["activation"])

    def forward(self, x: Array) -> Array:
        """(N, d_model) -> the same."""
        heard = self.conv(self.conv_norm(x))
        if "o_proj" in self.children:
            heard = self.o_proj(heard)
        if "mlp" not in self.children:
            return x + heard
        x = x + heard
        return x + self.mlp(self.mlp_norm(x))


class ConvRow(Repeat):
    """Convolutions of different widths in a row, under the numbers 0, 1, 2, ..."""

    def __init__(self, *convs: Conv) -> None:
        super().__init__(Numbered(*convs), 1)

    def _walk(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        return self.block.named_tensors(prefix)

    def at(self, path: str) -> Tensor:
        return self.block.at(path)

    def parts(self) -> Iterator[tuple[str, int, Part]]:
        yield "conv", 1, self.block


class GraphNetwork(Part, ABC):
    """Layers of message passing: a residual stack, or convolutions in a row as first published."""

    def __init__(self, dims: Mapping[str, Any], out_features: int) -> None:
        super().__init__()
        self.features, self.degree = dims["node_features"], dims["degree"]
        self.attends = dims["block"] == "gat"
        if dims["residual"]:
            self.in_proj = Linear(dims["node_features"], dims["d_model"], True)
            self.blocks = Repeat(GraphBlock(dims), dims["n_layers"])
            self.norm = Norm(dims["d_model"], "layernorm", True)
        else:
            self.blocks = ConvRow(*_row(dims, out_features))

    def encode(self, x: Array) -> Array:
        """Vectors of nodes, (N, A) -> (N, D)."""
        trace = x.trace
        if "in_proj" in self.children:
            x = self.in_proj(x)
            for block in self.blocks.each(trace):
                x = block(x)
            return self.norm(x)
        *inner, last = self.blocks.block.children.values()
        for conv in inner:
            x = trace.checkpointed(conv, x).apply("elu" if self.attends else "relu")
        return trace.checkpointed(last, x)

    @abstractmethod
    def judge(self, x: Array, samples: int) -> None:
        """What is asked of `samples` samples over nodes (N, A), and its loss."""

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` samples of `length` nodes."""
        self.judge(trace.given(batch * length, self.features), batch)

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """The answer to `batch` samples of `length` nodes, which are there first."""
        nodes = batch * length
        held = trace.new((2, nodes * self.degree), "int64"), trace.new((nodes,), "fp32")
        self.judge(trace.new((nodes, self.features)), batch)
        del held


class NodeClassifier(GraphNetwork):
    """A graph network and scores of the classes for one node of each sample."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(dims, dims["num_classes"])
        if dims["residual"]:
            self.head = Head(dims["d_model"], dims["num_classes"])

    def judge(self, x: Array, samples: int) -> None:
        """The named nodes' classes."""
        x = rows_of(self.encode(x), samples)
        scores = self.head(x) if "head" in self.children else x
        scores.float().cross_entropy()


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

    def judge(self, x: Array, samples: int) -> None:
        """The log-odds of as many pairs."""
        x = self.encode(x)
        x = self.head(x) if "head" in self.children else x
        both = rows_of(x, samples) * rows_of(x, samples)
        if "pair_up" in self.children:
            score = self.pair_down(self.pair_up(both).apply("relu")).squeeze(-1)
        else:
            score = both.sum(-1) / 1.0
        score = score + x.trace.weight(self, "bias")
        score.float().squared_error(x.trace.given(samples))


class GraphReader(GraphNetwork):
    """A graph network, the nodes of each graph pooled, and a head for each output."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        width = dims["d_model"]
        super().__init__(dims, width)
        self.pooled, self.mean = width, dims["pool"] == "mean"
        if dims["gives_label"]:
            self.label_head = Head(width, dims["num_classes"])
        if dims["gives_value"]:
            self.value_head = Head(width, 1)
        if dims["gives_embedding"]:
            self.embedding_head = Head(width, dims["embedding_dim"])

    def flops(self, batch: int, length: int) -> Flops:
        """The network over all nodes, their sum, and the heads once for each graph."""
        return super().flops(batch, length) + Flops(uncounted=batch * length * self.pooled)

    def judge(self, x: Array, samples: int) -> None:
        """Every output of as many graphs."""
        trace, x = x.trace, self.encode(x)
        owner = trace.new(x.shape[:1], "int64")
        if x.grad:
            trace.keep(owner)
        total = added(trace.new((samples, x.shape[1]), x.dtype), x, x.numel)
        x = total / 1.0 if self.mean else total
        if "label_head" in self.children:
            self.label_head(x).float().cross_entropy()
        if "value_head" in self.children:
            values = self.value_head(x).squeeze(-1).float()
            values.squared_error(trace.given(samples))
        if "embedding_head" in self.children:
            contrast(unit(self.embedding_head(x)).float())


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


def rows_of(x: Array, rows: int) -> Array:
    """Rows looked up by numbers that are there anyway, (N, ...) -> (rows, ...)."""
    return x.trace.compute((x,), (rows, *x.shape[1:]))


def added(start: Array, rows: Array, flops: float = 0) -> Array:
    """`index_add`: a copy of `start` to whose rows others are added, which it keeps."""
    if rows.grad:
        rows.trace.keep(rows)
    return start.trace.compute((start, rows), start.shape, start.dtype, flops)
