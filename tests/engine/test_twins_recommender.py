"""Recommenders: blueprint and code agree, and tables and towers fill the budget."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.loader import parse
from metagen.synth.solver import Frame, required_fill
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

SMALL = {"num_users": 40, "num_items": 30, "feature_rows": 20, "id_dim": 6, "d_model": 16,
         "n_layers": 2, "d_ff": 24}  # fmt: skip
VARIANTS = {
    "small": SMALL,
    "deep, without a past": SMALL | {"n_layers": 4, "history_length": 1, "feature_slots": 1},
}


def spec_of(dims=None, budget="1T", inputs=("tabular",), outputs=("label",), **task):
    sections = {
        "modality": {"inputs": list(inputs), "outputs": list(outputs)},
        "constraints": UNBOUND | {"parameter_budget": {"max": budget}},
        "architecture": {"dims": dims or {}},
        "task": {"type": "recommendation"} | task,
    }
    return parse(BASE | sections)


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    return import_package(spec_of(VARIANTS[request.param]), tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    twins.check_flops_of_a_batch(*variant[:2])


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@settings(max_examples=60, deadline=None)
@given(st.floats(5, 12), st.sampled_from([None, 2, 1000, 50_000, 10**6]))
def test_every_budget_is_filled(exponent, items):
    topology = TOPOLOGIES["two_towers"]
    frame = Frame({"num_items": items} if items else {})
    budget = max(10**exponent, 1.2 * topology.least(frame.given))
    best = topology.shapes(budget, frame)[0]
    assert required_fill(budget) * budget <= best.params <= budget
    assert topology.build(best.dims).count() == best.params


@pytest.mark.parametrize("exponent", range(5, 13))
def test_tables_hold_most_of_a_large_recommender(exponent):
    topology = TOPOLOGIES["two_towers"]
    dims = topology.shapes(10**exponent, Frame())[0].dims
    rows = dims["num_users"] + dims["num_items"] + dims["feature_rows"]
    assert 0.3 < rows * dims["id_dim"] / 10**exponent <= 0.86
    assert dims["num_users"] == dims["num_items"]


@pytest.mark.parametrize("outputs", [["label"], ["value"], ["embedding"]])
@pytest.mark.parametrize("inputs", [["tabular"], ["text"], ["state"], ["tabular", "text"]])
def test_recommendation_has_two_towers(inputs, outputs):
    plan = blueprint(spec_of(inputs=inputs, outputs=outputs, num_items=700, embedding_dim=48))
    assert plan.demands.topology.id == "two_towers"
    dims = plan.design.dims
    assert (dims["num_items"], dims["embedding_dim"]) == (700, 48)
