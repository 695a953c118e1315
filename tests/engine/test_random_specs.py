"""Specs drawn at random: each is routed, generates a package that imports, matches and learns.

Two thirds of them take what a row of the routing table asks for, so that every topology is drawn;
the rest say anything that the schema allows: all pairs of modalities, every field of a task, and
budgets from 100K to 1T. Routing is total, and so are these draws. `-m full` runs 500.
"""

import re

import pytest

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.engine import plan
from metagen.synth.solver import required_fill

from .generated import import_package
from .random_specs import draw

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402


def check(seed, folder):
    """Everything that a spec of this seed promises."""
    document, budget = draw(seed)
    try:
        plan(parse(document))
    except SpecError as error:  # a budget below the smallest model names that model's size
        least = re.search(r"which has ([\d,]+) parameters", str(error))
        assert least, (document, str(error))
        budget = 1.2 * int(least[1].replace(",", ""))
        document["constraints"]["parameter_budget"]["max"] = int(budget)
    package, release, _ = import_package(parse(document), folder)
    twins.check_state_dict(package, release)
    total = release.figures["total_params"].value
    assert total <= budget, document
    given_up = release.blueprint["feasibility"]["given_up"]
    if not any(phrase.startswith("size") for phrase in given_up):
        assert total >= required_fill(budget) * int(budget), document
    config = package.Config.tiny()
    model = package.build_model(config)
    loss = model.loss(package.synthetic_batch(config, 2, seed))
    loss.backward()
    assert torch.isfinite(loss), document
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads and all(torch.isfinite(grad).all() for grad in grads), document


@pytest.mark.parametrize("seed", range(20))
def test_a_random_spec_becomes_a_model(seed, tmp_path):
    check(seed, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(20, 500))
def test_five_hundred_random_specs_become_models(seed, tmp_path):
    check(seed, tmp_path)
