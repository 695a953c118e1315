"""Where constraints bind, the model shrinks and the report says so; what it says holds."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.loader import parse
from metagen.specs.quantities import parse_quantity
from metagen.synth.serving import rehearse
from metagen.synth.topologies.writers import LATENCY

from .conftest import BASE, blueprint


def test_nothing_is_given_up_where_nothing_binds(unbound):
    plan = blueprint(unbound("400B"))
    assert plan.given_up == ()
    assert plan.design.precision == "bf16"
    assert all(row.satisfied for row in plan.constraints)


def test_memory_shrinks_the_model_and_says_so(text_spec):
    plan = blueprint(
        text_spec({"parameter_budget": {"max": "20B"}, "memory_budget": "2GB", "device": "cpu",
                   "latency": "offline", "context_window": "8k"})
    )  # fmt: skip
    assert plan.design.memory.peak <= 2e9
    assert plan.design.model.count() < 5e9
    assert any("size" in lost for lost in plan.given_up)
    row = next(c for c in plan.constraints if c.constraint == "memory_budget")
    assert row.binding and row.satisfied and "size" in row.given_up


def test_latency_shrinks_the_model(text_spec):
    wanted = {"parameter_budget": {"max": "70B"}, "memory_budget": "80GB", "device": "edge",
              "latency": "real-time", "context_window": "4k"}  # fmt: skip
    design = blueprint(text_spec(wanted)).design
    assert design.pace.rate >= 20 and design.pace.first <= 0.5


def test_levers_are_released_where_they_are_not_needed(text_spec):
    plan = blueprint(
        text_spec({"parameter_budget": {"max": "8B"}, "memory_budget": "12GB",
                   "context_window": "8k", "latency": "offline"})
    )  # fmt: skip
    assert plan.design.precision == "int8"
    assert plan.design.dims["sliding_window"] == 0
    assert plan.design.dims["n_kv_heads"] == 8


def test_a_pinned_precision_is_kept(text_spec):
    spec = text_spec(
        {"parameter_budget": {"max": "8B"}, "memory_budget": "12GB", "context_window": "8k"},
        architecture={"precision": "bf16"},
    )
    plan = blueprint(spec)
    assert plan.design.precision == "bf16"
    assert plan.design.model.count() < 6e9


def test_the_impossible_is_reported_and_does_not_ruin_the_rest(text_spec):
    plan = blueprint(text_spec({"parameter_budget": {"max": "1B"}, "throughput": "1e9 tok/s"}))
    rows = {c.constraint: c.satisfied for c in plan.constraints}
    assert not rows["throughput"] and rows["memory_budget"] and rows["latency"]
    assert plan.design.model.count() > 0.97e9
    assert plan.fidelity(1) == 1 - 1 / len(rows)


@pytest.mark.parametrize("context", ["∞", "1M"])
def test_infinite_context_is_a_million(text_spec, context):
    plan = blueprint(text_spec({"parameter_budget": {"max": "1B"}, "context_window": context}))
    assert plan.design.dims["max_pos"] == 1024**2


CONSTRAINTS = st.fixed_dictionaries(
    {
        "parameter_budget": st.floats(4.6, 12).map(lambda e: {"max": int(10**e)}),
        "memory_budget": st.one_of(st.just("∞"), st.floats(7, 12).map(lambda e: int(10**e))),
        "context_window": st.integers(16, 2**21),
        "latency": st.sampled_from(["offline", "near-real-time", "real-time"]),
        "device": st.sampled_from(["cpu", "consumer_gpu", "datacenter_gpu", "edge"]),
    },
    optional={"throughput": st.floats(0, 5).map(lambda e: f"{10**e:.3f} tok/s")},
)


@settings(max_examples=60, deadline=None)
@given(CONSTRAINTS)
def test_what_is_reported_satisfied_is_satisfied_by_recomputation(constraints):
    spec = parse(BASE | {"constraints": constraints})
    plan = blueprint(spec)
    design, dims = plan.design, plan.design.dims
    satisfied = {c.constraint: c.satisfied for c in plan.constraints}
    budget = spec.constraints.parameter_budget.max.value
    assert satisfied["parameter_budget"] == (design.model.count() <= budget)
    device = plan.demands.device
    context = min(constraints["context_window"], dims["max_pos"])
    topology = plan.demands.topology
    served = rehearse(topology, topology.build(dims), dims, context).on(device, design.precision)
    limit = spec.constraints.memory_budget.value
    limit = min(limit, device.memory) if limit < math.inf else limit
    assert satisfied["memory_budget"] == (served.memory.peak <= limit)
    least, most = LATENCY[spec.constraints.latency]
    on_time = served.pace.rate >= least and served.pace.first <= most
    assert satisfied["latency"] == on_time
    if "throughput" in satisfied:
        assert satisfied["throughput"] == (served.pace.rate >= spec.constraints.throughput.value)


@settings(max_examples=30, deadline=None)
@given(CONSTRAINTS)
def test_what_would_satisfy_a_constraint_is_said_and_does(constraints):
    plan = blueprint(parse(BASE | {"constraints": constraints}))
    for row in plan.constraints:
        cost = not row.satisfied or bool(row.given_up)
        assert bool(row.would_satisfy) <= cost
        if row.constraint in ("parameter_budget", "memory_budget"):  # something always would do
            assert bool(row.would_satisfy) == cost, row
    budget = next(row for row in plan.constraints if row.constraint == "memory_budget")
    if not budget.would_satisfy:
        return
    relaxed = constraints | {"memory_budget": budget.would_satisfy}
    again = blueprint(parse(BASE | {"constraints": relaxed}))
    wanted = parse_quantity(budget.would_satisfy, "bytes").value
    if wanted <= again.demands.device.memory:
        row = next(row for row in again.constraints if row.constraint == "memory_budget")
        assert row.satisfied
        assert not (budget.satisfied and row.binding), "nothing had to be given up"


def test_what_cannot_load_comes_as_close_as_it_can(text_spec):
    plan = blueprint(
        text_spec({"parameter_budget": {"max": "20B"}, "memory_budget": "2MB",
                   "context_window": "1M", "latency": "offline"})
    )  # fmt: skip
    row = next(row for row in plan.constraints if row.constraint == "memory_budget")
    assert not row.satisfied
    assert plan.design.precision == "int4" and plan.design.model.count() < 1e5
    assert row.would_satisfy.endswith("MB")


def test_contradictions_say_which_constraint_won(text_spec):
    plan = blueprint(
        text_spec({"parameter_budget": {"max": "70B"}, "memory_budget": "8GB", "device": "edge",
                   "latency": "real-time", "context_window": "128k"})
    )  # fmt: skip
    rows = {row.constraint: row for row in plan.constraints}
    assert all(row.satisfied for row in plan.constraints)
    assert rows["memory_budget"].binding and rows["latency"].binding
    assert "size" in rows["latency"].given_up
    assert "a device like" in rows["latency"].would_satisfy
    assert rows["memory_budget"].would_satisfy
