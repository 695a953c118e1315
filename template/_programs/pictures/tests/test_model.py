"""The model makes pictures as asked, the same ones for the same noise."""

import pytest
import torch
from helpers import draw_zeros

from PACKAGE import build_model, synthetic_batch


@pytest.fixture
def model(model):
    """One that answers, though it was never trained."""
    draw_zeros(model)
    return model


def test_one_noise_is_one_picture(config, model):
    batch = synthetic_batch(config, 3, seed=0)
    made = model.generate(batch, 3, scale=config.guidance_scale)
    assert made.shape == (3, config.channels, config.image_size, config.image_size)
    assert -1 <= made.min() < made.max() <= 1
    assert torch.equal(made, model.generate(batch, 3, scale=config.guidance_scale))
    other = {**batch, "noise": batch["noise"].flip(0)}
    assert not torch.allclose(made, model.generate(other, 3, scale=config.guidance_scale))


@torch.no_grad()
def test_pictures_do_not_influence_each_other(config, model):
    batch = synthetic_batch(config, 3, seed=0)
    told, at = torch.zeros(3, dtype=torch.bool), torch.full((3,), 500.0)
    alone = {name: tensor[:1] for name, tensor in batch.items()}
    together = model.denoise_for(batch, told)(batch["noise"], at)
    apart = model.denoise_for(alone, told[:1])(alone["noise"], at[:1])
    torch.testing.assert_close(together[:1], apart, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("sampler", ["ddim", "euler", "heun"])
def test_every_sampler_makes_pictures(config, model, sampler):
    assert model.generate(synthetic_batch(config, 2, seed=0), 3, sampler).isfinite().all()


def test_guidance_of_one_is_no_guidance(config, model):
    batch = synthetic_batch(config, 2, seed=0)
    if config.condition == "none":
        assert torch.equal(model.generate(batch, 3), model.generate(batch, 3, scale=1.0))
    else:
        told, at = torch.zeros(2, dtype=torch.bool), torch.full((2,), 500.0)
        with torch.no_grad():
            conditional = model.denoise_for(batch, told)(batch["noise"], at)
            free = model.denoise_for(batch, ~told)(batch["noise"], at)
        assert not torch.allclose(conditional, free)
        plain = model.generate(batch, 3)
        assert torch.equal(plain, model.generate(batch, 3, scale=1.0))
        assert not torch.allclose(plain, model.generate(batch, 3, scale=3.0))


def test_every_weight_is_trained(config):
    model = build_model(config)
    batch = synthetic_batch(config, 3, seed=0)
    model.loss(batch).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_what_is_given_matters(config, model):
    batch = synthetic_batch(config, 2, seed=0)
    made = model.generate(batch, 2)
    if config.image_condition != "none":
        changed = {**batch, "pictures": batch["pictures"].flip(0)}
        assert not torch.allclose(made, model.generate(changed, 2))
    if config.condition == "class":
        changed = {**batch, "labels": (batch["labels"] + 1) % config.num_classes}
        assert not torch.allclose(made, model.generate(changed, 2))
    if config.condition == "text":
        changed = {**batch, "tokens": batch["tokens"].flip(1)}
        assert not torch.allclose(made, model.generate(changed, 2))
    if config.image_condition == "inpaint":  # what is known stays as it is
        known = batch["masks"].expand_as(made) == 0
        assert torch.equal(made[known], batch["pictures"][known])
    assert made.isfinite().all()


def test_the_autoencoder_learns_only_in_the_first_stage(config):
    batch = synthetic_batch(config, 2, seed=0)
    if config.space == "latent":
        model = build_model(config)
        del batch["posterior_noise"]
        model.loss(batch).backward()
        assert all(p.grad is None for p in model.autoencoder.parameters())
    assert batch["noise"].isfinite().all()
