"""Budgets are filled with shapes that a practitioner would recognise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.synth.parts.decoder_lm import DecoderLM
from metagen.synth.solver import Frame, required_fill
from metagen.synth.topologies.decoder_lm import BYTE_VOCABULARY, DecoderTopology

from .conftest import blueprint
from .shapes import RECORD

TOPOLOGY = DecoderTopology()
BUDGETS = [m * 10**e for e in range(6, 12) for m in (1, 1.4, 2, 3, 5, 7)][:34]


@pytest.mark.parametrize("budget", BUDGETS)
def test_budget_is_filled_with_a_recognisable_shape(budget):
    best = TOPOLOGY.shapes(budget, Frame({"max_pos": 8192}))[0]
    dims = best.dims
    assert DecoderLM(dims).count() == best.params <= budget
    assert best.params >= required_fill(budget) * budget
    assert dims["head_dim"] in (64, 128)
    assert dims["n_heads"] % dims["n_kv_heads"] == 0
    grid = 64 if budget >= 3e6 else 16
    assert dims["d_model"] % grid == 0 and dims["d_ff"] % grid == 0
    assert 2.0 <= dims["d_ff"] / dims["d_model"] <= 5.5
    assert 15 <= dims["d_model"] / dims["n_layers"] <= 190
    assert (dims["vocab_size"] == BYTE_VOCABULARY) == (budget < 20e6)
    assert dims["vocab_size"] * dims["d_model"] <= 0.25 * best.params


@settings(max_examples=150, deadline=None)
@given(st.floats(5, 12))
def test_every_budget_is_filled(exponent):
    budget = 10**exponent
    best = TOPOLOGY.shapes(budget, Frame({"max_pos": 8192}))[0]
    assert required_fill(budget) * budget <= best.params <= budget


@pytest.mark.parametrize("decade", range(5, 12))
def test_no_budget_between_is_missed(decade):
    for step in range(80):
        budget = 10 ** (decade + step / 80)
        best = TOPOLOGY.shapes(budget, Frame({"max_pos": 8192}))[0]
        assert required_fill(budget) * budget <= best.params <= budget, budget


def test_published_sizes_come_out_as_practice_has_them():
    dims = TOPOLOGY.shapes(8e9, Frame())[0].dims
    assert (dims["d_model"], dims["n_layers"], dims["n_heads"], dims["n_kv_heads"]) == (
        4096, 32, 32, 8,
    )  # fmt: skip
    dims = TOPOLOGY.shapes(70e9, Frame())[0].dims
    assert (dims["d_model"], dims["n_layers"], dims["n_heads"]) == (8192, 80, 64)


def test_a_budget_below_the_smallest_model_names_it(unbound):
    blueprint(unbound(TOPOLOGY.minimum()))
    with pytest.raises(
        SpecError, match=rf"smallest decoder-only.*{TOPOLOGY.minimum():,}"
    ) as refused:
        blueprint(unbound(TOPOLOGY.minimum() - 1))
    assert refused.value.problems[0].path == "constraints.parameter_budget.max"


PINS = [
    {"n_layers": 24},
    {"d_model": 1024},
    {"n_heads": 7},
    {"n_heads": 12, "head_dim": 64},
    {"head_dim": 96},
    {"n_kv_heads": 3},
    {"d_ff": 5000},
    {"vocab_size": 256_000},
    {"n_layers": 3, "d_ff": 640},
    {"mlp": "plain", "activation": "gelu", "norm": "layernorm", "norm_bias": True},
    {"pos": "learned"},
    {"tied": False, "n_layers": 16},
]


@pytest.mark.parametrize("pins", PINS, ids=str)
def test_pins_are_kept_and_the_rest_is_solved(pins, unbound):
    design = blueprint(unbound("500M", pins)).design
    assert {k: design.dims[k] for k in pins} == pins
    assert None not in design.dims.values()
    assert design.model.count() == DecoderLM(design.dims).count()


def test_pinned_dims_beat_the_budget_and_say_so(unbound):
    plan = blueprint(unbound("1M", {"d_model": 4096, "n_layers": 32}))
    assert plan.design.model.count() > 1e6
    row = next(c for c in plan.constraints if c.constraint == "parameter_budget")
    assert not row.satisfied


@pytest.mark.parametrize(
    ("dims", "path", "words"),
    [
        ({"n_head": 3}, "n_head", "unknown dimension"),
        ({"n_heads": 5, "n_kv_heads": 2}, "n_kv_heads", "does not divide"),
        ({"norm": "batchnorm"}, "norm", "is not a norm"),
        ({"d_model": 0}, "d_model", "whole number"),
        ({"d_model": 64.5}, "d_model", "whole number"),
        ({"d_model": True}, "d_model", "whole number"),
        ({"tied": "yes"}, "tied", "true or false"),
        ({"norms_per_layer": 1}, "norms_per_layer", "parallel_block"),
        ({"norms_per_layer": 3}, "norms_per_layer", "number of norms"),
        ({"norm_bias": True}, "norm_bias", "RMSNorm has no bias"),
        ({"pos_rows": 64}, "pos_rows", "learned"),
        ({"vocab_size": 100}, "vocab_size", "whole number"),
        ({"n_layers": 10**9}, "n_layers", "whole number"),
    ],
)
def test_impossible_dims_are_refused_where_they_stand(dims, path, words, unbound):
    with pytest.raises(SpecError, match=words) as refused:
        blueprint(unbound("1B", dims))
    assert refused.value.problems[0].path == f"architecture.dims.{path}"


def test_a_misspelt_dimension_gets_a_suggestion(unbound):
    with pytest.raises(SpecError) as refused:
        blueprint(unbound("1B", {"n_head": 3, "d_mode": 64}))
    assert [p.suggestion for p in refused.value.problems] == ["n_heads", "d_model"]


@pytest.mark.parametrize("chapter", RECORD.chapters, ids=lambda chapter: chapter.__name__)
def test_number_for_number(chapter):
    assert RECORD.now(chapter) == RECORD.then(chapter)
