"""The model is a function of its seed and its series."""

from dataclasses import replace

import pytest
import torch

from PACKAGE import Config, build_model, synthetic_batch


@pytest.fixture
def model(config):
    return build_model(config).eval()


def test_the_seed_decides_the_weights(config, model):
    again, other = build_model(config), build_model(replace(config, seed=config.seed + 1))
    weights = model.state_dict()
    assert all(torch.equal(weights[name], again.state_dict()[name]) for name in weights)
    assert not torch.equal(model.embed.weight, other.embed.weight)


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
    model, batch = build_model(config), synthetic_batch(config, 4, 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    first = model.loss(batch).item()
    for _ in range(40):
        optimizer.zero_grad()
        loss = model.loss(batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * first


def test_patches_longer_than_the_series_are_refused(config):
    with pytest.raises(ValueError, match="--patch-length"):
        Config.tiny(patch_length=config.lookback + 1)
