"""Measures against their definitions."""

import numpy as np
import pytest

from PACKAGE.measures import change, distance_from_mean, ranked
from PACKAGE.series import whole


def test_measures_are_those_of_their_definitions():
    rng = np.random.default_rng(0)
    labels = rng.random(60) < 0.2
    scores = rng.integers(0, 9, 60) + 2.0 * labels
    wrong, right = scores[labels], scores[~labels]
    pairs = (wrong[:, None] > right) + 0.5 * (wrong[:, None] == right)
    assert ranked(scores, labels).auroc == pytest.approx(pairs.mean())
    distinct = scores + rng.random(60) * 0.1
    found = 0.0
    for threshold in distinct[labels]:
        found += labels[distinct >= threshold].mean() / labels.sum()
    assert ranked(distinct, labels).precision == pytest.approx(found)


def test_perfect_and_useless_scores():
    labels = np.arange(10) > 7
    assert ranked(labels.astype(float), labels).auroc == 1
    assert ranked(labels.astype(float), labels).precision == 1
    assert ranked(np.zeros(10), labels).auroc == 0.5
    with pytest.raises(ValueError, match="anomalies"):
        ranked(np.zeros(10), np.zeros(10, bool))


def test_rules_find_what_sticks_out():
    series = whole("a", np.array([0, 1, 0, 1, 9, 1, 0, 1.0]))
    assert distance_from_mean(series).argmax() == 4
    assert change(series).argmax() in (4, 5) and change(series)[0] == 0
