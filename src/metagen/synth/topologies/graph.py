"""Networks that pass messages along the edges of a graph: for nodes, for links, for graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import log10, prod
from typing import Any

from ...specs.errors import Problem
from ...specs.vocabulary import stand_in
from ..dims import Dim, choice, flag, number, real, text
from ..parts.base import Part
from ..parts.graph import GraphBlock, GraphReader, LinkPredictor, NodeClassifier
from ..solver import Frame, Shape, interpolate, required_fill, stack_shapes
from .base import Node, Work
from .outputs import SeveralOutputs
from .stack import STACK_SHOWN, StackTopology

BLOCKS = ("gat", "gcn", "sage", "gin")
#: Types of components that select a block, beside the blocks' own names.
NAMED = {"graph_attention": "gat", "graph_convolution": "gcn", "graphsage": "sage"}
KINDS = {
    "gat": "attention over neighbours",
    "gcn": "graph convolution",
    "sage": "mean over neighbours",
    "gin": "sum over neighbours and perceptron",
}
#: The family's own kind of message passing; attention where a family has none.
BLOCK_OF_FAMILY = {"cnn": "gcn"}

_GRAPH: Mapping[str, Dim] = {
    "node_features": number(64, "features of a node", high=10**6),
    "degree": number(8, "edges that end in a typical node", high=10**6),
    "block": choice("gat", "what a layer of message passing is", *BLOCKS),
    "residual": flag(True, "a residual stack with norms and MLPs; otherwise convolutions in a row"),
    "d_model": number(None, "width of the layers", high=2**18),
    "n_layers": number(None, "layers of message passing", high=64),
    "n_heads": number(None, "attention heads", high=4096),
    "head_dim": number(None, "width of one attention head", high=2**18),
    "out_heads": number(1, "heads of the last convolution, averaged", high=4096),
    "d_ff": number(None, "hidden width of the MLP", high=2**20),
    "activation": choice("relu", "nonlinearity of the MLP", "relu", "gelu"),
    "norm_eps": real(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
}
_SAMPLED: Mapping[str, Dim] = {
    "num_nodes": number(10_000, "nodes of the graph", low=2, high=10**9),
    "fan_outs": Dim((10, 5, 2, 1), "neighbours read of a node in training, by its distance; "
                    "the last number is for the rest", high=10**5, kind="list"),
}  # fmt: skip

NODES: Mapping[str, Dim] = {
    **_GRAPH,
    **_SAMPLED,
    "num_classes": number(10, "labels to choose from", low=2, high=10**7),
}
LINKS: Mapping[str, Dim] = {
    **_GRAPH,
    **_SAMPLED,
    "embedding_dim": number(128, "width of a node's embedding", high=2**16),
    "decoder": choice("dot", "how two embeddings become a score", "dot", "mlp"),
}
GRAPHS: Mapping[str, Dim] = {
    **_GRAPH,
    "num_nodes": number(32, "nodes of a typical graph", low=2, high=10**6),
    "pool": choice("mean", "how nodes become a graph", "mean", "sum"),
    "gives_label": flag(True, "a class is among the outputs"),
    "gives_value": flag(False, "a number is among the outputs"),
    "gives_embedding": flag(False, "a vector of length 1 is among the outputs"),
    "num_classes": number(4, "labels to choose from", low=2, high=10**7),
    "embedding_dim": number(128, "width of the embedding", high=2**16),
    "temperature": real(0.1, "divisor of the cosines of embeddings", low=1e-3, high=10.0),
}

#: (log10 of the budget, layers): each layer reads one edge further, and few graphs are wide.
DEPTH = ((5, 2), (7, 3), (9, 4), (12, 6))
DEEPEST = 8
#: Widths that are tried where features and classes leave no room for the customary ones.
NARROW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 128, 192, 256, 384, 512, 768, 1024, 2048)
#: Heads of a convolution in a row (Velickovic et al., 2018, section 3.3).
ROW_HEADS = 8

SAMPLED_DATA = "folder with nodes.csv and edges.csv; empty: built in"
LISTED_DATA = "JSONL file with a graph per line; empty: built in"


#: The nodes of every network up to its last norm.
_BODY = (
    Node("graph", "input"),
    Node("embed", "projection of the features", ("in_proj",)),
    Node("mixer", "message passing", ("blocks.conv", "blocks.o_proj"), repeated=True),
    Node("mlp", "feed-forward network", ("blocks.mlp",), repeated=True),
)


class GraphTopology(StackTopology):
    """What networks over graphs share."""

    judges = ""  # what a sample is: `nodes`, `links` or `graphs`
    family_words = frozenset({"gnn", "transformer", "cnn"})
    aliases = {"in_dim": "node_features", "hidden": "d_model", "layers": "n_layers",
               "out": "num_classes", "heads": "n_heads", "in_channels": "node_features",
               "hidden_channels": "d_model", "num_layers": "n_layers"}  # fmt: skip
    floor = {"d_model": 16, "n_layers": 1, "n_heads": 1, "head_dim": 16, "d_ff": 16}
    shown = {
        **STACK_SHOWN,
        "node_features": "Node features",
    }
    batch = 512
    most_units_per_param = 20.0

    def given(self, spec: Any) -> dict[str, Any]:
        """Features, sizes and classes of the task, and the block that family or component names."""
        names = ("node_features", "num_nodes", "num_classes", "embedding_dim")
        task = {n: getattr(spec.task, n) for n in names if n in self.table}
        dims = {name: value for name, value in task.items() if value}
        dims["block"] = BLOCK_OF_FAMILY.get(spec.architecture.family, "gat")
        for component in spec.architecture.components:
            word = component.type.lower()
            block = NAMED.get(word, word)
            if block in BLOCKS:
                dims["block"] = block
        return dims

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        """The heads of a row of attention layers make up their width."""
        dims = {name: dim.default for name, dim in self.table.items()} | dict(pins)
        if dims["residual"] or dims["block"] != "gat" or not dims["d_model"]:
            return []
        heads = dims["n_heads"] or ROW_HEADS
        width = heads * (dims["head_dim"] or max(1, dims["d_model"] // heads))
        if width == dims["d_model"]:
            return []
        message = f"it is not n_heads ({heads}) times a whole head_dim"
        return [Problem("architecture.dims.d_model", message)]

    # -- shapes -------------------------------------------------------------------------------

    def aspect(self, budget: float) -> float:
        depth = interpolate(DEPTH, log10(max(budget, 1e5)))
        return max(1.0, (budget / 10 / depth) ** 0.5 / depth)

    def bulk(self, dims: Mapping[str, Any]) -> float:
        return 10.0

    def block(self, dims: Mapping[str, Any]) -> GraphBlock:
        return GraphBlock(dims)

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Shallow stacks; narrower ones where features or classes take most of the budget."""
        base = self.base(budget, frame)
        if not base["residual"]:
            return [self._row(base, budget, frame.pins)]
        found = _shallow(stack_shapes(self, budget, frame), frame)
        filled = required_fill(budget) * budget <= found[0].params <= budget
        if not frame.pins and not filled:
            for width in NARROW:
                pinned = replace(frame, pins={"d_model": width})
                found = [*found, *_shallow(stack_shapes(self, budget, pinned), frame)]
            fitting = _shallow([s for s in found if s.params <= budget], frame)
            smallest = min(found, key=lambda shape: shape.params)
            found = sorted(fitting, key=lambda shape: -shape.params)[:5] or [smallest]
        if base["block"] == "gat":
            return found
        heads = {name: frame.pins.get(name) for name in ("n_heads", "head_dim")}
        return [replace(shape, base={**shape.base, **heads}) for shape in found]

    def _row(self, base: Mapping[str, Any], budget: float, pins: Mapping[str, Any]) -> Shape:
        """Convolutions in a row, two where the depth is not pinned, as wide as fits."""
        attends = base["block"] == "gat"
        depth, heads = base["n_layers"] or 2, (base["n_heads"] or ROW_HEADS) if attends else 1

        def shape(width: int) -> Shape:
            found = {"d_model": width, "n_layers": depth}
            if attends:
                found |= {"n_heads": heads, "head_dim": width // heads}
            dims = {**base, **found}
            return Shape(base, tuple(found.items()), self.build(dims).count(), 0.0)

        if base["d_model"] or (attends and base["head_dim"]):
            return shape(base["d_model"] or heads * base["head_dim"])
        low, high = 1, 2**17 // (8 * heads)
        while low < high:
            middle = (low + high + 1) // 2
            fits = shape(8 * heads * middle).params <= budget
            low, high = (middle, high) if fits else (low, middle - 1)
        return shape(8 * heads * low)

    # -- costs --------------------------------------------------------------------------------

    def length(self, dims: Mapping[str, Any]) -> int:
        """Nodes that are read for one sample."""
        return dims["num_nodes"]

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        nodes = self.length(dims)
        at = f"one {self.unit} by {nodes:,} nodes with {dims['degree']} edges each"
        return Work(model.flops(1, nodes), 1, at)

    # -- code and documents -------------------------------------------------------------------

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims) | {"judges": self.judges}

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        absent = set() if dims["block"] == "gat" else {"n_heads", "head_dim", "out_heads"}
        absent |= {"out_heads"} if dims["residual"] else {"d_ff", "norm_eps"}
        return {d: name for d, name in super().fields(dims).items() if d not in absent}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        heads = min(4, dims["n_heads"] or 4)
        head_dim = min(16, dims["head_dim"] or 16)
        in_a_row = not dims["residual"] and dims["block"] == "gat"
        return {
            "node_features": min(16, dims["node_features"]),
            "d_model": heads * head_dim if in_a_row else min(64, dims["d_model"]),
            "n_layers": min(3, dims["n_layers"]),
            "n_heads": heads,
            "head_dim": head_dim,
            "d_ff": min(128, dims["d_ff"] or 128),
            "learning_rate": 0.003,
            "warmup_steps": 20,
        }

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {"infer_args": "--limit 12"}

    def kind_of(self, node: Node, dims: Mapping[str, Any]) -> str:
        return KINDS[dims["block"]] if node.id == "mixer" else node.kind

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        nodes = self.length(dims)
        shapes: dict[str, list[Any]] = {
            node.id: ["batch", nodes, dims["d_model"]] for node in self.nodes
        }
        return shapes | {"graph": ["batch", nodes, dims["node_features"]], "loss": []}

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["block"] == "gat":
            removed = "attention: neighbours are weighted by their degrees"
            yield "Attention", removed, {"block": "gcn"}
        if dims["block"] == "sage":
            yield "Two projections", "the node's own projection", {"block": "gcn"}


class SampledTopology(GraphTopology):
    """Networks over one large graph, of which a sample reads a neighbourhood."""

    seeds = 1  # nodes that a sample begins from
    settings = {"data": text(SAMPLED_DATA)}

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        if pins.get("fan_outs") == []:
            return [Problem("architecture.dims.fan_outs", "it is empty")]
        return super().contradictions(pins)

    def length(self, dims: Mapping[str, Any]) -> int:
        """Nodes of the neighbourhoods that training reads for one sample."""
        fans = list(dims["fan_outs"])
        steps = (fans + fans[-1:] * dims["n_layers"])[: dims["n_layers"]]
        around = sum(prod(steps[:i]) for i in range(len(steps) + 1))
        return min(self.seeds * around, dims["num_nodes"])

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().tiny(dims) | {
            "num_nodes": min(1000, dims["num_nodes"]),
            "fan_outs": tuple(min(6, fan) for fan in dims["fan_outs"]),
            "steps": 300,
            "global_batch": 32,
            "micro_batch": 32,
            "eval_interval": 100,
            "checkpoint_interval": 100,
            "eval_samples": 128,
            "val_fraction": 0.2,
        }


class NodeTopology(SampledTopology):
    """A label for each node of a graph."""

    id = "graph_nodes"
    phrase = "message-passing network for nodes"
    objective = "classification of nodes"
    covers = {
        "inputs": frozenset({"graph"}),
        "outputs": frozenset({"label"}),
        "objective": frozenset({"classification"}),
        "task": frozenset({"node_classification"}),
        "family": GraphTopology.family_words,
    }
    served_as = "the classification of nodes"
    unit = "node"
    judges = "nodes"
    table = NODES
    top = "graph_nodes"
    exports = ("NodeClassifier", "build_model")
    programs = ("common", "scores", "classes", "graphs", "graph_sampled", "graph_nodes")
    shown = GraphTopology.shown | {"num_classes": "Classes"}
    nodes = (
        *_BODY,
        Node("norm", "normalisation", ("norm",)),
        Node("head", "classification head", ("head",)),
        Node("loss", "cross-entropy over the classes"),
    )

    def build(self, dims: Mapping[str, Any]) -> NodeClassifier:
        return NodeClassifier(dims)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().tiny(dims) | {"num_classes": min(6, dims["num_classes"])}

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        return super().node_shapes(dims) | {"head": ["batch", dims["num_classes"]]}


class LinkTopology(SampledTopology):
    """Whether two nodes of a graph are linked."""

    id = "graph_links"
    phrase = "message-passing network for links"
    objective = "classification of pairs of nodes, half of them drawn at random"
    covers = {
        "inputs": frozenset({"graph"}),
        "outputs": frozenset({"graph", "label"}),
        "objective": frozenset({"classification"}),
        "task": frozenset({"link_prediction"}),
        "family": GraphTopology.family_words,
    }
    served_as = "the prediction of links"
    unit = "link"
    judges = "links"
    seeds = 2
    table = LINKS
    top = "graph_links"
    exports = ("LinkPredictor", "build_model")
    programs = ("common", "scores", "graphs", "graph_sampled", "graph_links")
    shown = GraphTopology.shown | {"embedding_dim": "Embedding width"}
    nodes = (
        *_BODY,
        Node("norm", "normalisation", ("norm",)),
        Node("head", "score of a pair", ("head", "pair_up", "pair_down", "")),
        Node("loss", "binary cross-entropy over pairs"),
    )

    def build(self, dims: Mapping[str, Any]) -> LinkPredictor:
        return LinkPredictor(dims)

    def training_work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """A link and a pair drawn at random."""
        work = self.work(model, dims)
        return Work(work.flops * 2, 1, f"two times {work.at}")

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().tiny(dims) | {
            "n_layers": min(2, dims["n_layers"]),
            "embedding_dim": min(32, dims["embedding_dim"]),
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        return super().node_shapes(dims) | {"head": ["batch"]}


class ReaderTopology(SeveralOutputs, GraphTopology):
    """A label, a number, an embedding, or several of them, for a whole graph."""

    id = "graph_reader"
    phrase = "message-passing network"
    covers = {
        "inputs": frozenset({"graph"}),
        "outputs": frozenset({"label", "value", "embedding"}),
        "objective": frozenset({"classification", "regression", "contrastive"}),
        "task": frozenset({"graph_classification", "classification", "regression", "embedding"}),
        "family": GraphTopology.family_words,
    }
    served_as = "the prediction of its outputs"
    unit = "graph"
    judges = "graphs"
    table = GRAPHS
    top = "graph_readout"
    exports = ("GraphReader", "build_model")
    programs = ("common", "batches", "scores", "graphs", "heads", "graph_readout")
    settings = {"data": text(LISTED_DATA)}
    nodes = (
        *_BODY,
        Node("norm", "normalisation and pooling", ("norm",)),
        Node("head", "output heads", ("label_head", "value_head", "embedding_head")),
        Node("loss", "sum of losses"),
    )
    losses = {
        "gives_label": "cross-entropy of the label",
        "gives_value": "squared error of the value",
        "gives_embedding": "supervised contrast of the embedding",
    }
    own = {"gives_label": ("num_classes",), "gives_embedding": ("embedding_dim", "temperature")}

    def given(self, spec: Any) -> dict[str, Any]:
        outputs = set(map(stand_in, spec.modality.outputs))
        return super().given(spec) | {
            name: name.partition("_")[2] in outputs for name in self.losses
        }

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        if all(pins.get(name) is False for name in self.losses):
            return [Problem("architecture.dims.gives_label", "no output is left")]
        return super().contradictions(pins)

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        """As everywhere; GIN as published sums over nodes too (Xu et al., 2019, eq. 4.2)."""
        dims = super().base(budget, frame)
        if dims["block"] == "gin" and not dims["residual"] and "pool" not in frame.pins:
            dims["pool"] = "sum"
        return dims

    def build(self, dims: Mapping[str, Any]) -> GraphReader:
        return GraphReader(dims)

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        return ("accumulation",) if switches["gives_embedding"] else ()  # contrast of one batch

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().tiny(dims) | {
            "num_nodes": min(24, dims["num_nodes"]),
            "num_classes": min(4, dims["num_classes"]),
            "embedding_dim": min(32, dims["embedding_dim"]),
            "steps": 400,
            "global_batch": 32,
            "micro_batch": 32,
            "eval_interval": 100,
            "checkpoint_interval": 100,
            "eval_samples": 128,
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        widths = {"gives_label": dims["num_classes"], "gives_value": 1,
                  "gives_embedding": dims["embedding_dim"]}  # fmt: skip
        given = sum(width for name, width in widths.items() if dims[name])
        return super().node_shapes(dims) | {
            "norm": ["batch", dims["d_model"]],
            "head": ["batch", given],
        }


def _shallow(found: list[Shape], frame: Frame) -> list[Shape]:
    """The shapes that are no deeper than message passing is useful, where there are any."""
    return [s for s in found if s.dims["n_layers"] <= DEEPEST or frame.pins] or found
