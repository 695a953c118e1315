"""A forecast follows from the known past of its own variable, in that variable's units."""

import pytest
import torch
from helpers import learn

from PACKAGE import Config, build_model, synthetic_batch


def past_of(config):
    batch = synthetic_batch(config, 3, 0)
    return batch["past"].cumsum(dim=1), batch["known"]


@torch.inference_mode()
def test_variables_do_not_influence_each_other(config, model):
    past, known = past_of(config)
    forecast = model(past, known)
    assert forecast.shape[:3] == (3, config.horizon, config.num_variables)
    torch.testing.assert_close(forecast[:, :, :1], model(past[:, :, :1], known[:, :, :1]))
    torch.testing.assert_close(forecast[:1], model(past[:1], known[:1]), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_units_do_not_matter(config, model):
    past, known = past_of(config)
    forecast = model(past, known)
    other = model(1000 * past - 7, known)
    torch.testing.assert_close(other, 1000 * forecast - 7, rtol=1e-3, atol=1)


@torch.inference_mode()
def test_what_is_unknown_does_not_matter(config, model):
    past, known = past_of(config)
    known[:, 5:9] = False
    forecast = model(past, known)
    past[:, 5:9] = 1e6
    torch.testing.assert_close(model(past, known), forecast)
    assert model(past, torch.zeros_like(known)).isfinite().all()


@torch.inference_mode()
def test_the_latest_values_matter(config, model):
    past, known = past_of(config)
    forecast = model(past, known)
    past[:, -1] += 3
    assert not torch.allclose(model(past, known), forecast, atol=1e-3)


def test_unknown_futures_cost_nothing(config, model):
    batch = synthetic_batch(config, 3, 0)
    batch["future_known"][:, config.horizon // 2 :] = False
    loss = model.loss(batch)
    batch["future"][:, config.horizon // 2 :] = 1e6
    if config.horizon > 1:
        assert torch.equal(model.loss(batch), loss)


def test_one_batch_can_be_learned(config):
    losses = learn(build_model(config), synthetic_batch(config, 2, 0), steps=40, rate=3e-3)
    assert losses[-1] < 0.7 * losses[0]


def test_patches_longer_than_the_past_are_refused(config):
    with pytest.raises(ValueError, match="--patch-length"):
        Config.tiny(patch_length=config.lookback + 1)
