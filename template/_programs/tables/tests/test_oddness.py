"""Rows whose cells do not belong together are the odd ones."""

import torch

from PACKAGE import build_model
from PACKAGE.data import Corpus
from PACKAGE.oddness import mixed, oddness, roc_area


def test_hidden_cells_are_not_seen(config):
    model = build_model(config).eval()
    batch = Corpus(config).train_batch(0, range(4))
    changed = batch | {"numbers": batch["numbers"].clone()}
    hidden = batch["hidden"][:, : config.num_numeric]
    changed["numbers"][hidden] += 5
    with torch.inference_mode():
        first, second = model(batch), model(changed)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_oddness_is_finite_and_mixed_rows_differ(config):
    batch = Corpus(config).train_batch(0, range(8))
    with torch.inference_mode():
        assert torch.isfinite(oddness(build_model(config).eval(), batch, config)).all()
    assert not torch.equal(mixed(batch)["numbers"], batch["numbers"])


def test_areas_are_those_of_the_definition():
    assert roc_area(torch.tensor([2.0, 3.0]), torch.tensor([0.0, 1.0])) == 1.0
    assert roc_area(torch.tensor([1.0]), torch.tensor([1.0, 0.0])) == 0.75
