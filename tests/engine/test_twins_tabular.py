"""Models of tables: blueprint and code agree, and budgets are filled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

SMALL = {"num_numeric": 5, "num_categorical": 3, "categories": 7, "d_model": 16, "n_layers": 2,
         "d_ff": 24}  # fmt: skip
HEADS = {"n_heads": 2, "head_dim": 8}
EVERYTHING = {"gives_value": True, "gives_embedding": True, "gives_cells": True, "num_targets": 3}
VARIANTS = {
    "transformer, label": ("transformer", SMALL | HEADS | {"num_classes": 5}, ["label"]),
    "transformer, values": ("transformer", SMALL | HEADS | {"num_targets": 3}, ["value"]),
    "transformer, numbers only": ("transformer", SMALL | HEADS | {"categorical": False}, ["value"]),
    "transformer, cells": ("transformer", SMALL | HEADS, ["tabular"]),
    "transformer, everything": ("transformer", SMALL | HEADS | EVERYTHING, ["label"]),
    "perceptron, label": ("mlp", SMALL | {"num_classes": 5}, ["label"]),
    "perceptron, value": ("mlp", SMALL | {"word_dim": 3}, ["value"]),
    "perceptron, embedding": ("mlp", SMALL, ["embedding"]),
    "perceptron, numbers only": ("mlp", SMALL | {"categorical": False}, ["label"]),
    "perceptron, cells": ("mlp", SMALL, ["tabular"]),
    "perceptron, cells of numbers": ("mlp", SMALL | {"categorical": False}, ["tabular"]),
    "perceptron, everything": ("mlp", SMALL | EVERYTHING, ["label"]),
}


def spec_of(family, dims=None, outputs=("label",), budget="1T", **task):
    sections = {
        "modality": {"inputs": ["tabular"], "outputs": list(outputs)},
        "constraints": UNBOUND | {"parameter_budget": {"max": budget}},
        "architecture": {"dims": dims or {}} | ({"family": family} if family else {}),
        "task": task,
    }
    if "tabular" in outputs:
        sections["task"] = {"type": "anomaly_detection"} | task
    return parse(BASE | sections)


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    return import_package(spec_of(*VARIANTS[request.param]), tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _ = variant
    architecture = release.blueprint["architecture"]
    topology, dims = TOPOLOGIES[architecture["topology"]], architecture["dims"]
    config = package.Config.full()
    batch = package.synthetic_batch(config, 2, 0)
    with torch.device("meta"):
        model = package.build_model(config)
    batch = {name: tensor.to("meta") for name, tensor in batch.items()}
    flops = topology.build(dims).flops(2, topology.length(dims))
    assert twins.counted_flops(lambda: model(batch)) == flops.counted > 0


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(5, 12),
    st.sampled_from(["tabular_transformer", "tabular_mlp"]),
    st.sampled_from([1, 3, 24, 100]),
)
def test_every_budget_is_filled(exponent, topology, columns):
    topology, budget = TOPOLOGIES[topology], 10**exponent
    words = columns // 3
    sizes = {"num_numeric": columns - words, "num_categorical": words, "categorical": words > 0}
    best = twins.filled(topology, budget, sizes)
    assert best.dims["n_layers"] <= 128


@pytest.mark.parametrize(
    ("family", "topology"),
    [
        (None, "tabular_mlp"),
        ("mlp", "tabular_mlp"),
        ("transformer", "tabular_transformer"),
        ("cnn", "tabular_transformer"),
    ],
    ids=str,
)
def test_the_family_decides_the_backbone(family, topology):
    plan = blueprint(spec_of(family, num_features=10, num_classes=7))
    dims = plan.design.dims
    assert plan.demands.topology.id == topology
    assert (dims["num_numeric"], dims["num_categorical"], dims["num_classes"]) == (7, 3, 7)


def test_a_table_of_one_column_has_no_words():
    dims = blueprint(spec_of("mlp", num_features=1)).design.dims
    assert dims["num_numeric"] == 1 and not dims["categorical"]


@pytest.mark.parametrize("outputs", [["label"], ["value"], ["label", "value"], ["embedding"]])
def test_outputs_become_heads(outputs):
    dims = blueprint(spec_of(None, outputs=outputs)).design.dims
    heads = {"label": "gives_label", "value": "gives_value", "embedding": "gives_embedding"}
    assert {word for word, name in heads.items() if dims[name]} == set(outputs)


def test_anomalies_are_found_by_predicting_cells():
    spec = spec_of(None, outputs=["label"], type="anomaly_detection")
    dims = blueprint(spec).design.dims
    assert dims["gives_cells"] and not dims["gives_label"]


def test_a_model_without_outputs_is_refused():
    with pytest.raises(SpecError, match="no output"):
        blueprint(spec_of("mlp", {"gives_label": False}))
