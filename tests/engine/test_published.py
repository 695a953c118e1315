"""Published checkpoints, by their dimensions: exact counts, cache bytes and FLOPs."""

import json
from importlib.resources import files

import pytest

from metagen.synth.architecture import blueprint
from metagen.synth.estimates import state_bytes

PUBLISHED = json.loads((files("metagen.synth") / "published.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda m: m["name"])
def test_dims_of_a_published_model_give_its_exact_count(model, unbound):
    plan = blueprint(unbound("1T", model["config"]))
    assert plan.design.model.count() == model["params"]
    assert state_bytes(plan.design.model, 1) == model["kv_bytes_per_token"]
    assert all(row.satisfied for row in plan.constraints)
    assert plan.given_up == ()


@pytest.mark.parametrize(
    "model", [m for m in PUBLISHED if "forward_flops" in m], ids=lambda m: m["name"]
)
def test_flops_are_those_that_pytorch_counts(model, unbound):
    wanted = model["forward_flops"]
    design = blueprint(unbound("1T", model["config"])).design
    assert design.model.flops(wanted["batch"], wanted["length"]).counted == wanted["total"]
