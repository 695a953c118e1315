"""Average precision of masks, and their run lengths."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from PACKAGE.answers import Answer, iou, run_lengths
from PACKAGE.data import Corpus
from PACKAGE.eval import Score, trivial_score


@pytest.fixture
def there():
    """Two objects of one class in a picture."""
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    masks[0, :4, :4], masks[1, 5:, 5:] = True, True
    return [Answer(torch.tensor([0, 0]), torch.ones(2), masks)]


def test_the_truth_is_perfect(there):
    assert Score(0.0, there, there).ap == pytest.approx(1)
    assert torch.equal(iou(there[0], there[0]), torch.eye(2))


def test_pixels_and_classes_count(there):
    smaller = there[0].masks.clone()
    smaller[0, :1] = False
    found = [replace(there[0], masks=smaller)]
    assert iou(found[0], there[0])[0, 0] == pytest.approx(0.75)
    near = Score(0.0, found, there)
    assert near.ap50 == pytest.approx(1) and near.ap < 1
    assert Score(0.0, [replace(there[0], labels=there[0].labels + 1)], there).ap50 == 0


def test_runs_alternate_down_the_columns():
    mask = np.array([[0, 1], [1, 1], [0, 0]], dtype=bool)
    assert run_lengths(mask) == [1, 1, 1, 2, 1]
    assert run_lengths(np.ones((2, 2), dtype=bool)) == [0, 4]


def test_the_trivial_predictor_is_poor(config):
    assert trivial_score(Corpus(config), 64).ap50 < 0.1
