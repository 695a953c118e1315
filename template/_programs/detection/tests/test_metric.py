"""Average precision: of right answers, of wrong ones, and of a predictor that learned nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from PACKAGE.answers import Answer
from PACKAGE.data import Corpus
from PACKAGE.eval import Score, average_precision, hits, trivial_score


def exactly(there, shift=0.0, classes=0):
    """The truth as a finding, moved or of another class."""
    boxes = there.boxes.clone()
    boxes[:, 0] += shift
    return replace(there, boxes=boxes, labels=there.labels + classes)


@pytest.fixture
def there():
    """Two objects of one class in a picture, one of another in a second one."""
    boxes = torch.tensor([[0.3, 0.3, 0.2, 0.2], [0.7, 0.7, 0.2, 0.2], [0.5, 0.5, 0.4, 0.4]])
    first = Answer(torch.tensor([0, 0]), torch.ones(2), boxes[:2])
    return [first, Answer(torch.tensor([1]), torch.ones(1), boxes[2:])]


def test_the_truth_is_perfect(there):
    assert Score(0.0, there, there).ap == pytest.approx(1)


def test_places_and_classes_count(there):
    near = Score(0.0, [exactly(t, shift=0.03) for t in there], there)
    assert near.ap50 == pytest.approx(1) and 0.3 < near.ap < 1
    assert Score(0.0, [exactly(t, classes=1) for t in there], there).ap50 < 0.1
    assert Score(0.0, [exactly(t, shift=0.3) for t in there], there).ap50 < 0.1


def test_an_object_is_found_once():
    overlaps = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.6]])
    assert hits(overlaps, 0.5).tolist() == [True, False, True]
    assert average_precision(np.array([True, False, True]), 2) == pytest.approx(
        (51 + 50 * 2 / 3) / 101
    )
    assert average_precision(np.array([], dtype=bool), 2) == 0


def test_the_trivial_predictor_is_poor(config):
    assert trivial_score(Corpus(config), 64).ap50 < 0.1
