"""Specs for the engine's tests."""

import pytest

from metagen.specs.loader import parse
from metagen.synth import architecture
from metagen.synth.routing import route

BASE = {
    "metagen_version": "1.0",
    "name": "probe",
    "modality": {"inputs": ["text"], "outputs": ["text"]},
}
UNBOUND = {"latency": "offline", "memory_budget": "∞"}


def blueprint(spec):
    """The blueprint of a spec on the topology that it is routed to."""
    return architecture.blueprint(spec, route(spec)[0])


@pytest.fixture
def text_spec():
    """Build a resolved text spec from constraints, pinned dims and other sections."""

    def build(constraints=None, dims=None, **sections):
        return parse(
            BASE
            | {"constraints": constraints or {}, "architecture": {"dims": dims or {}}}
            | sections
        )

    return build


@pytest.fixture
def unbound(text_spec):
    """Build a spec where nothing but the parameter budget binds."""

    def build(budget, dims=None, **constraints):
        return text_spec(UNBOUND | {"parameter_budget": {"max": budget}} | constraints, dims)

    return build
