"""The denoiser hears what it should, and each network learns from its own loss."""

import pytest
import torch
from helpers import draw_zeros

from PACKAGE import build_model, synthetic_batch
from PACKAGE.data import clip_samples
from PACKAGE.model import latent_shape


@pytest.fixture
def model(model):
    """One that answers, though it was never trained."""
    draw_zeros(model.denoiser)
    return model


def denoised(model, batch, noise, times):
    """What the denoiser says of noise, under the conditions of a batch."""
    told = model.conditions(batch, noise.size(1))
    return model.denoiser(noise, times, **told)


@torch.no_grad()
def test_codes_have_unit_scale(config, model):
    codes = model.encode(synthetic_batch(config, 2, 0)["waveform"])
    assert codes.shape == (2, *latent_shape(config))
    spread = codes.flatten(1).var(dim=1, correction=0)
    torch.testing.assert_close(spread, torch.ones_like(spread), atol=0.05, rtol=0.05)
    assert model.decode(codes).shape == (2, 1, clip_samples(config))


@torch.no_grad()
def test_every_frame_matters_to_every_other(config, model):
    batch, times = synthetic_batch(config, 1, 0), torch.tensor([300.0])
    before = denoised(model, batch, batch["noise"], times)
    changed = batch["noise"].clone()
    changed[:, -1] += 1
    after = denoised(model, batch, changed, times)
    assert (before - after).abs().amax(dim=(0, 2)).min() > 0


@torch.no_grad()
def test_sounds_of_a_batch_do_not_meet(config, model):
    batch, times = synthetic_batch(config, 2, 0), torch.tensor([300.0, 700.0])
    both = denoised(model, batch, batch["noise"], times)
    second = {name: part[1:] for name, part in batch.items()}
    alone = denoised(model, second, second["noise"], times[1:])
    torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_dropped_conditions_are_not_heard(config, model):
    if config.conditioned or config.continued:
        batch = synthetic_batch(config, 2, 0)
        hidden = batch | {"dropped": torch.tensor([True, True])}
        other = dict(hidden)
        if config.conditioned:
            other["tokens"] = batch["tokens"].flip(0)
            other["tokens"][:, -1] = batch["tokens"][:, -1]
        if config.continued:
            other["opening"] = batch["opening"].flip(0)
        assert torch.allclose(model.loss(hidden), model.loss(other))
        assert not torch.allclose(model.loss(batch), model.loss(hidden))


def test_sounds_follow_from_the_noise(config, model):
    batch = synthetic_batch(config, 2, 0)
    noise, other = batch["noise"], batch["noise"].flip(1)
    made = model.generate(batch, noise, 2)
    assert made.shape == (2, 1, clip_samples(config)) and made.abs().max() <= 1
    assert torch.equal(made, model.generate(batch, noise, 2))
    assert not torch.equal(made, model.generate(batch, other, 2))
    for sampler in ("euler", "heun"):
        assert model.generate(batch, noise, 2, sampler=sampler).isfinite().all()


def test_guidance_of_one_is_none(config, model):
    batch = synthetic_batch(config, 1, 0)
    plain, near = (model.generate(batch, batch["noise"], 2, scale) for scale in (1.0, 1.0001))
    torch.testing.assert_close(plain, near, atol=1e-2, rtol=1e-2)


def test_every_weight_is_trained_until_the_autoencoder_rests(config):
    model = build_model(config)
    batch = synthetic_batch(config, 2, seed=0)
    model.loss(batch).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    del batch["posterior_noise"]
    model.loss(batch).backward()
    assert all(p.grad is None for p in model.autoencoder.parameters())
    assert all(p.grad is not None for p in model.denoiser.parameters())
