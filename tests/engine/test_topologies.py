"""Topologies: what one has to say before it can exist, and that every registered one says it."""

import pytest

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.engine import plan
from metagen.synth.topologies import TOPOLOGIES, Topology
from metagen.synth.topologies.stack import StackTopology

from .conftest import BASE


@pytest.mark.parametrize("topology_id", TOPOLOGIES)
def test_every_registered_topology_is_complete(topology_id):
    assert TOPOLOGIES[topology_id].id == topology_id


@pytest.mark.parametrize("base", [Topology, StackTopology], ids=lambda base: base.__name__)
def test_a_topology_without_one_of_its_hooks_cannot_be_made(base):
    for missing in base.__abstractmethods__:
        hooks = {name: lambda self: None for name in base.__abstractmethods__ - {missing}}
        with pytest.raises(TypeError, match=missing):
            type("Incomplete", (base,), hooks)()


def test_the_smallest_model_counts_what_is_given():
    many = {"type": "classification", "num_classes": 100_000}
    spec = BASE | {"modality": {"inputs": ["text"], "outputs": ["label"]}, "task": many}
    spec["constraints"] = {"parameter_budget": {"max": "1M"}}
    with pytest.raises(SpecError, match="smallest bidirectional transformer encoder"):
        plan(parse(spec))
