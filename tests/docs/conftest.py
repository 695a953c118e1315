"""Releases that the documents are tried on: every budget, device and latency, in both voices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from metagen.specs.loader import parse
from metagen.synth.engine import plan
from metagen.synth.release import Release

SHAPES = [
    {},
    {"latency": "offline", "parameter_budget": {"max": "8B"}, "memory_budget": "∞"},
    {"latency": "real-time", "device": "edge", "parameter_budget": {"max": "1B"}},
    {"latency": "offline", "device": "cpu", "parameter_budget": {"max": "2M"}},
    {"device": "datacenter_gpu", "parameter_budget": {"max": "400B"}, "memory_budget": "80GB"},
    {"context_window": "∞", "memory_budget": "24GB"},
    {"parameter_budget": {"max": "∞"}, "latency": "offline"},
    {"parameter_budget": {"max": "350M"}, "context_window": "2k", "throughput": "40 tok/s"},
]


def document(**changes: Any) -> dict[str, Any]:
    """A text model's specification with some top-level keys replaced."""
    base = {
        "metagen_version": "1.0",
        "name": "parrot",
        "modality": {"inputs": ["text"], "outputs": ["text"]},
    }
    return base | changes


def make_release(voice: str = "confident", seed: int = 42, **changes: Any) -> Release:
    """The release of `document(**changes)`."""
    spec = parse(document(reproducibility={"seed": seed}, **changes))
    return plan(spec, voice=voice)


@pytest.fixture(scope="session")
def release_of() -> Callable[..., Release]:
    """`make_release`, for tests that need a release of their own."""
    return make_release


@pytest.fixture(scope="session")
def shapes() -> list[dict[str, Any]]:
    """The constraints that releases are tried with."""
    return SHAPES


@pytest.fixture(params=SHAPES, ids=range(len(SHAPES)))
def shape(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each of them in turn."""
    return request.param


@pytest.fixture(scope="session", params=["confident", "plain"])
def releases(request: pytest.FixtureRequest) -> list[Release]:
    """One release for each of `SHAPES`, in one voice."""
    return [
        make_release(request.param, seed, constraints=shape) for seed, shape in enumerate(SHAPES)
    ]


@pytest.fixture(scope="session")
def release() -> Release:
    """One release in the house voice."""
    return make_release(constraints=SHAPES[1])
