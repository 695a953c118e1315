"""Graph networks: blueprint and code agree, published counts are exact, budgets are filled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.solver import Frame, required_fill
from metagen.synth.topologies import TOPOLOGIES
from metagen.synth.topologies.graph import BLOCKS, DEEPEST

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

#: Outputs and task of each topology.
MEANT = {
    "graph_nodes": (["label"], "node_classification"),
    "graph_links": (["graph"], "link_prediction"),
    "graph_reader": (["label"], "graph_classification"),
}
SMALL = {"node_features": 9, "d_model": 16, "n_layers": 2, "num_nodes": 40, "degree": 3}
STACK = SMALL | {"d_ff": 24}
HEADS = {"n_heads": 2, "head_dim": 8}
VARIANTS = {
    "nodes, gat": ("graph_nodes", STACK | HEADS | {"num_classes": 5}),
    "nodes, gcn": ("graph_nodes", STACK | {"block": "gcn", "activation": "gelu"}),
    "nodes, sage": ("graph_nodes", STACK | {"block": "sage"}),
    "nodes, gin": ("graph_nodes", STACK | {"block": "gin", "fan_outs": [3]}),
    "nodes, gat in a row": ("graph_nodes", SMALL | HEADS | {"residual": False, "out_heads": 3}),
    "nodes, gcn in a row": ("graph_nodes", SMALL | {"residual": False, "block": "gcn"}),
    "nodes, sage in a row": ("graph_nodes", SMALL | {"residual": False, "block": "sage"}),
    "nodes, gin in a row": ("graph_nodes", SMALL | {"residual": False, "block": "gin"}),
    "links, gat": ("graph_links", STACK | HEADS | {"embedding_dim": 12}),
    "links, sage by mlp": ("graph_links", STACK | {"block": "sage", "decoder": "mlp"}),
    "links, gcn in a row": ("graph_links", SMALL | {"residual": False, "block": "gcn"}),
    "graphs, gat": ("graph_reader", STACK | HEADS),
    "graphs, gin": ("graph_reader", STACK | {"block": "gin", "gives_value": True}),
    "graphs, gcn in a row": ("graph_reader", SMALL | {"residual": False, "block": "gcn"}),
    "graphs, embedding": (
        "graph_reader",
        STACK | {"block": "sage", "gives_label": False, "gives_embedding": True},
    ),
    "graphs, everything": (
        "graph_reader",
        STACK | HEADS | {"gives_value": True, "gives_embedding": True, "pool": "sum"},
    ),
}

#: Dimensions and parameters of the library's classes: in a row, with its own defaults.
LIBRARY = {
    "GCN (Citeseer)": ("gcn", 3703, 16, 2, 6, {}, 59_366),
    "GCN (Pubmed)": ("gcn", 500, 16, 2, 3, {}, 8_067),
    "GAT (Citeseer)": ("gat", 3703, 64, 2, 6, {}, 237_586),
    "GAT (Pubmed)": ("gat", 500, 64, 2, 3, {"out_heads": 8}, 33_779),
    "GraphSAGE (Reddit)": ("sage", 602, 256, 2, 41, {}, 329_513),
    "GIN": ("gin", 7, 32, 5, 2, {}, 7_725),
}


def spec_of(topology, dims=None, budget="1T", outputs=None, **task):
    meant, kind = MEANT[topology]
    sections = {
        "modality": {"inputs": ["graph"], "outputs": outputs or meant},
        "constraints": UNBOUND | {"parameter_budget": {"max": budget}},
        "architecture": {"dims": dims or {}},
        "task": {"type": kind} | task,
    }
    return parse(BASE | sections)


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    return import_package(spec_of(*VARIANTS[request.param]), tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _ = variant
    architecture = release.blueprint["architecture"]
    dims, nodes = architecture["dims"], 40
    twin = TOPOLOGIES[architecture["topology"]].build(dims)
    with torch.device("meta"):
        model = package.build_model(package.Config.full())
        whole = {
            "nodes": torch.zeros(nodes, dims["node_features"]),
            "edges": torch.zeros(2, 3 * nodes, dtype=torch.long),
            "degree": torch.zeros(nodes),
            "seeds": torch.zeros(1, dtype=torch.long),
            "pairs": torch.zeros(2, 1, dtype=torch.long),
            "sizes": torch.zeros(1, dtype=torch.long),
        }
    flops = twin.flops(1, nodes)
    assert twins.counted_flops(lambda: model(whole)) == flops.counted
    assert 0 < flops.uncounted < flops.counted


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@pytest.mark.parametrize("name", LIBRARY)
def test_counts_are_those_of_the_library(name):
    block, features, width, depth, classes, more, params = LIBRARY[name]
    pins = {"block": block, "residual": False, "node_features": features, "d_model": width,
            "n_layers": depth, "num_classes": classes}  # fmt: skip
    if block == "gat":
        pins |= {"n_heads": 8, "head_dim": width // 8}
    assert blueprint(spec_of("graph_nodes", pins | more)).design.model.count() == params


@settings(max_examples=80, deadline=None)
@given(st.floats(5, 12), st.sampled_from(sorted(MEANT)), st.sampled_from(BLOCKS))
def test_every_budget_is_filled(exponent, topology, block):
    topology, budget = TOPOLOGIES[topology], 10**exponent
    best = twins.filled(topology, budget, {"block": block, "node_features": 50})
    assert 1 <= best.dims["n_layers"] <= DEEPEST


@settings(max_examples=60, deadline=None)
@given(st.floats(5.5, 8), st.integers(1, 3000), st.integers(2, 1000))
def test_features_and_classes_leave_room(exponent, features, classes):
    topology, budget = TOPOLOGIES["graph_nodes"], 10**exponent
    given = {"node_features": features, "num_classes": classes}
    best = topology.shapes(budget, Frame(given))[0]
    assert best.params <= budget
    assert best.params >= required_fill(budget) * budget


def test_a_row_of_convolutions_grows_to_its_budget():
    dims = blueprint(spec_of("graph_nodes", {"residual": False}, "10M")).design
    assert 9e6 < dims.model.count() <= 10e6
    assert dims.dims["d_model"] == dims.dims["n_heads"] * dims.dims["head_dim"]


@pytest.mark.parametrize(
    ("architecture", "block"),
    [
        ({}, "gat"),
        ({"family": "transformer"}, "gat"),
        ({"family": "cnn"}, "gcn"),
        ({"components": [{"name": "a", "type": "gin"}]}, "gin"),
        ({"components": [{"name": "a", "type": "GraphSAGE"}]}, "sage"),
        ({"dims": {"block": "sage"}, "family": "cnn"}, "sage"),
    ],
    ids=str,
)
def test_family_and_components_select_the_block(architecture, block):
    modality = {"inputs": ["graph"], "outputs": ["label"]}
    plan = blueprint(parse(BASE | {"modality": modality, "architecture": architecture}))
    assert plan.demands.topology.id == "graph_reader"
    assert plan.design.dims["block"] == block
    assert (plan.design.dims["n_heads"] is None) == (block != "gat")


@pytest.mark.parametrize(
    ("outputs", "task", "topology"),
    [
        (["label"], None, "graph_reader"),
        (["value"], None, "graph_reader"),
        (["embedding"], None, "graph_reader"),
        (["label", "embedding"], None, "graph_reader"),
        (["graph"], None, "graph_links"),
        (["label"], "link_prediction", "graph_links"),
        (["label"], "node_classification", "graph_nodes"),
    ],
    ids=str,
)
def test_outputs_and_task_decide_what_is_judged(outputs, task, topology):
    modality = {"inputs": ["graph"], "outputs": outputs}
    document = BASE | {"modality": modality} | ({"task": {"type": task}} if task else {})
    plan = blueprint(parse(document))
    assert plan.demands.topology.id == topology
    if topology == "graph_reader":
        given = {
            name for name in ("label", "value", "embedding") if plan.design.dims[f"gives_{name}"]
        }
        assert given == set(outputs)


def test_the_task_decides_the_sizes():
    spec = spec_of("graph_nodes", node_features=77, num_classes=9, num_nodes=500)
    dims = blueprint(spec).design.dims
    assert (dims["node_features"], dims["num_classes"], dims["num_nodes"]) == (77, 9, 500)


def test_a_sample_is_the_neighbourhood_that_is_read():
    topology = TOPOLOGIES["graph_nodes"]
    dims = {"fan_outs": (10, 5, 2, 1), "n_layers": 3, "num_nodes": 10**6}
    assert topology.length(dims) == 1 + 10 + 50 + 100
    assert topology.length(dims | {"num_nodes": 60}) == 60
    assert topology.length(dims | {"fan_outs": [3]}) == 1 + 3 + 9 + 27
    assert TOPOLOGIES["graph_links"].length(dims) == 2 * 161


@pytest.mark.parametrize(
    ("topology", "pins", "words"),
    [
        ("graph_nodes", {"residual": False, "d_model": 60}, "n_heads"),
        ("graph_nodes", {"fan_outs": []}, "empty"),
        ("graph_reader", {"gives_label": False}, "no output"),
    ],
    ids=str,
)
def test_dimensions_that_contradict_each_other_are_refused(topology, pins, words):
    with pytest.raises(SpecError, match=words):
        blueprint(spec_of(topology, pins))
