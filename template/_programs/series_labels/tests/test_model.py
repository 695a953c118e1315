"""The model is a function of its seed and its series."""

import pytest
import torch
from helpers import learn

from PACKAGE import Config, build_model, synthetic_batch


@torch.inference_mode()
def test_series_do_not_influence_each_other(config, model):
    batch = synthetic_batch(config, 3, 0)
    scores = model(batch["values"], batch["known"])
    assert scores.shape == (3, config.num_classes)
    alone = model(batch["values"][:1], batch["known"][:1])
    torch.testing.assert_close(scores[:1], alone, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_units_and_what_is_unknown_do_not_matter(config, model):
    batch = synthetic_batch(config, 3, 0)
    values, known = batch["values"], batch["known"]
    scores = model(values, known)
    torch.testing.assert_close(model(50 * values - 7, known), scores, atol=1e-3, rtol=1e-3)
    known[:, :5] = False
    scores = model(values, known)
    values[:, :5] = 1e6
    torch.testing.assert_close(model(values, known), scores)


def test_one_batch_can_be_learned(config):
    losses = learn(build_model(config), synthetic_batch(config, 4, 0), steps=40, rate=3e-3)
    assert losses[-1] < 0.5 * losses[0]


def test_patches_longer_than_the_series_are_refused(config):
    with pytest.raises(ValueError, match="--patch-length"):
        Config.tiny(patch_length=config.lookback + 1)
