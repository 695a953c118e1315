"""Predictions for an H200 agree with what others measured there."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from anchors import ANCHORS, predict  # noqa: E402


@pytest.mark.parametrize("anchor", ANCHORS, ids=lambda a: f"{a.model}-{a.implementation}")
def test_steps_take_what_they_were_measured_at(anchor):
    predicted = predict(anchor)
    assert predicted.seconds == pytest.approx(
        anchor.samples / anchor.rate, rel=0.12
    )  # as the README says
    if anchor.peak:  # compilers differ in what they compute again
        assert predicted.peak == pytest.approx(anchor.peak, rel=0.11 if anchor.compiled else 0.06)
