"""Networks over graphs: equal outputs to torch_geometric's, and sampling that loses nothing."""

import itertools
import tempfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
geometric = pytest.importorskip("torch_geometric.nn")

from metagen.synth.codegen import network_sources  # noqa: E402
from metagen.synth.topologies import TOPOLOGIES  # noqa: E402

from .packages import PARTS, config_of, module, part  # noqa: E402

NODES, FEATURES, WIDTH, CLASSES = 30, 12, 16, 5
SIZES = {"node_features": FEATURES, "n_layers": 2, "n_heads": 4, "head_dim": 4, "d_model": WIDTH,
         "d_ff": 24, "num_classes": CLASSES, "activation": "relu"}  # fmt: skip
OUR_NAMES = {
    "gcn": {"lin": "proj"},
    "gat": {"att_src": "att_source", "att_dst": "att_target", "lin": "proj"},
    "sage": {"lin_l": "neighbor_proj", "lin_r": "self_proj"},
    "gin": {"nn.0": "up_proj", "nn.2": "down_proj"},
}
_names = itertools.count()


@pytest.fixture
def graph():
    """Features, edges in both directions, and degrees; one node has no neighbours."""
    torch.manual_seed(0)
    pairs = torch.randint(NODES - 1, (60, 2))
    pairs = torch.unique(pairs[pairs[:, 0] != pairs[:, 1]].sort(dim=1).values, dim=0)
    edges = torch.cat((pairs, pairs.flip(1))).T
    degree = edges[1].bincount(minlength=NODES).float()
    return {"nodes": torch.randn(NODES, FEATURES), "edges": edges, "degree": degree}


def library_layer(block, width, out, last=False):
    """A layer of the library, with random weights where its own would be zero."""
    if block == "gcn":
        layer = geometric.GCNConv(width, out)
    elif block == "gat":
        layer = geometric.GATConv(width, out, 2) if not last else None
        layer = layer or geometric.GATConv(width, out, 3, concat=False)
    elif block == "sage":
        layer = geometric.SAGEConv(width, out)
    else:
        inner = torch.nn.Linear(width, out), torch.nn.ReLU(), torch.nn.Linear(out, out)
        layer = geometric.GINConv(torch.nn.Sequential(*inner), train_eps=True)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return layer


def our_layer(block, width, out, last=False):
    layers = part("graph_conv")
    if block == "gat":
        return layers.GatConv(width, 3 if last else 2, out, concat=not last)
    if block == "gin":
        return layers.GinConv(width, out, out)
    return {"gcn": layers.GcnConv, "sage": layers.SageConv}[block](width, out)


def renamed(block, state, shapes):
    """A layer's state dict under our names and in our shapes."""
    result = {}
    for name, tensor in state.items():
        for theirs, ours in OUR_NAMES[block].items():
            name = name.replace(theirs, ours)
        result[name] = tensor.reshape(shapes[name])
    return result


def copied(block, ours, theirs):
    shapes = {name: tensor.shape for name, tensor in ours.state_dict().items()}
    ours.load_state_dict(renamed(block, theirs.state_dict(), shapes))


def inputs_of(block, graph):
    return (graph["edges"], graph["degree"]) if block in ("gcn", "gin") else (graph["edges"],)


@pytest.mark.parametrize("last", [False, True], ids=["hidden", "last"])
@pytest.mark.parametrize("block", OUR_NAMES)
def test_a_layer_equals_the_librarys(block, last, graph):
    theirs = library_layer(block, FEATURES, 7, last)
    ours = our_layer(block, FEATURES, 7, last)
    copied(block, ours, theirs)
    x = graph["nodes"].clone().requires_grad_()
    y = graph["nodes"].clone().requires_grad_()
    got, wanted = ours(x, *inputs_of(block, graph)), theirs(y, graph["edges"])
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)
    got.square().sum().backward()
    wanted.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad, atol=1e-3, rtol=1e-3)


def generated(topology_id, config):
    """The model of `model.py` as a release would have it."""
    topology = TOPOLOGIES[topology_id]
    dims = {name: getattr(config, name, None) for name in topology.table}
    folder = Path(tempfile.mkdtemp())
    source = network_sources(topology, topology.switches(dims))["model"]
    (folder / "model.py").write_text(source, encoding="utf-8")
    (folder / "config.py").write_text((PARTS / "config.py").read_text(encoding="utf-8"))
    return module(f"generated_graph_{next(_names)}", folder, "model").build_model(config)


@pytest.mark.parametrize("block", OUR_NAMES)
def test_two_layers_in_a_row_are_the_published_networks(block, graph):
    """Kipf and Welling's, Velickovic's, Hamilton's and Xu's, in two layers, as generated source."""
    config = config_of(**SIZES, block=block, residual=False, out_heads=3)
    if block == "gat":
        first = geometric.GATConv(FEATURES, 4, 4)
    else:
        first = library_layer(block, FEATURES, WIDTH)
    second = library_layer(block, WIDTH, CLASSES, last=True)
    activation = torch.nn.functional.elu if block == "gat" else torch.relu
    wanted = second(activation(first(graph["nodes"], graph["edges"])), graph["edges"])
    for model in (part("graph_nodes").build_model(config), generated("graph_nodes", config)):
        copied(block, model.blocks[0], first)
        copied(block, model.blocks[1], second)
        got = model(graph | {"seeds": torch.arange(NODES)})
        torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("residual", [True, False], ids=["stack", "row"])
@pytest.mark.parametrize("block", OUR_NAMES)
@pytest.mark.parametrize("topology", ["graph_nodes", "graph_links", "graph_reader"])
def test_generated_source_equals_the_parts(topology, block, residual, graph):
    judges = TOPOLOGIES[topology].judges
    config = config_of(
        **SIZES, block=block, residual=residual, pool="mean", gives_value=True, judges=judges
    )
    asked = {"seeds": torch.arange(4), "pairs": torch.arange(8).reshape(2, 4),
             "sizes": torch.tensor([10, 15, 5])}  # fmt: skip
    name = "graph_readout" if topology == "graph_reader" else topology
    ours, made = part(name).build_model(config), generated(topology, config)
    made.load_state_dict(ours.state_dict())
    got, wanted = made(graph | asked), ours(graph | asked)
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("block", OUR_NAMES)
def test_some_neighbours_stand_for_all_of_them(block):
    """Twenty equal neighbours, of which five are at hand, and a true degree of twenty."""
    layer = our_layer(block, FEATURES, 7)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(FEATURES).repeat(21, 1)
    edges = torch.stack((torch.arange(1, 21), torch.zeros(20, dtype=torch.long)))
    degree = torch.tensor([20.0] + [0.0] * 20)
    every = inputs_of(block, {"edges": edges, "degree": degree})
    few = inputs_of(block, {"edges": edges[:, :5], "degree": degree})
    torch.testing.assert_close(layer(x, *few)[0], layer(x, *every)[0], atol=1e-5, rtol=1e-5)


def test_pooling_keeps_graphs_apart(graph):
    config = config_of(**SIZES, block="gcn", pool="sum", judges="graphs")
    model = part("graph_readout").build_model(config)
    twice = {
        "nodes": torch.cat((graph["nodes"], graph["nodes"])),
        "edges": torch.cat((graph["edges"], graph["edges"] + NODES), dim=1),
        "degree": graph["degree"].repeat(2),
        "sizes": torch.tensor([NODES, NODES]),
    }
    one = model(graph | {"sizes": torch.tensor([NODES])})["label"]
    torch.testing.assert_close(model(twice)["label"], one.expand(2, -1), atol=1e-5, rtol=1e-5)
    order = torch.randperm(NODES)
    place = order.argsort()
    shuffled = {"nodes": graph["nodes"][order], "edges": place[graph["edges"]],
                "degree": graph["degree"][order], "sizes": torch.tensor([NODES])}  # fmt: skip
    torch.testing.assert_close(model(shuffled)["label"], one, atol=1e-5, rtol=1e-5)


def test_a_row_of_convolutions_learns_embeddings(graph):
    """None of its own layers reads the temperature of their contrast."""
    config = config_of(
        **SIZES, block="gcn", residual=False, pool="mean", judges="graphs", gives_label=False,
        gives_embedding=True,
    )  # fmt: skip
    made = generated("graph_reader", config)
    made.init_weights(torch.Generator().manual_seed(0))
    groups = {"sizes": torch.tensor([10, 15, 5]), "groups": torch.tensor([0, 0, 1])}
    assert made.loss(graph | groups).isfinite()
