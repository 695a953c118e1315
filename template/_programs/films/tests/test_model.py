"""The denoiser sees what it should, and what it makes is a function of the noise."""

import pytest
import torch
from helpers import draw_zeros

from PACKAGE import build_model, synthetic_batch
from PACKAGE.data import Corpus, prepare
from PACKAGE.denoiser import frames_of, patches
from PACKAGE.model import latent_shape
from PACKAGE.samples import generate


@pytest.fixture
def model(model):
    """One that answers, though it was never trained."""
    draw_zeros(model.denoiser)
    return model


def told(model, config, batch):
    """The conditions of a batch, as the denoiser takes them."""
    conditions = {}
    if config.conditioned:
        conditions["given"] = model.known(model.encode(batch["video"]), config.given_frames)
    if config.reads_text:
        conditions["tokens"] = batch["tokens"]
        conditions["states"] = model.read(batch["tokens"])
    return conditions


def test_patches_become_the_same_frames(config):
    frames = torch.randn(2, *latent_shape(config))
    sizes = config.tubelet, config.patch_size
    assert torch.equal(frames_of(patches(frames, *sizes), frames.shape, *sizes), frames)


@torch.no_grad()
def test_codes_have_unit_scale(config, model):
    codes = model.encode(synthetic_batch(config, 2, 0)["video"])
    assert codes.shape == (2, *latent_shape(config))
    spread = codes.flatten(2).var(dim=2, correction=0)  # (B, Z)
    torch.testing.assert_close(spread, torch.ones_like(spread), atol=0.05, rtol=0.05)


@torch.no_grad()
def test_every_frame_matters_to_every_other(config, model):
    batch = synthetic_batch(config, 1, 0)
    conditions, times = told(model, config, batch), torch.tensor([300.0])
    before = model.denoiser(batch["noise"], times, **conditions)
    changed = batch["noise"].clone()
    changed[:, -1] += 1
    after = model.denoiser(changed, times, **conditions)
    assert (before - after).abs().amax(dim=(0, 2, 3, 4)).min() > 0


@torch.no_grad()
def test_clips_of_a_batch_do_not_meet(config, model):
    batch = synthetic_batch(config, 2, 0)
    times = torch.tensor([300.0, 700.0])
    both = model.denoiser(batch["noise"], times, **told(model, config, batch))
    second = {name: part[1:] for name, part in batch.items()}
    alone = model.denoiser(second["noise"], times[1:], **told(model, config, second))
    torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_dropped_conditions_are_not_seen(config, model):
    if config.conditioned or config.reads_text:
        batch = synthetic_batch(config, 2, 0)
        hidden = batch | {"dropped": torch.tensor([True, True])}
        other = dict(hidden)
        if config.reads_text:
            other["tokens"] = batch["tokens"].flip(0)
            other["tokens"][:, -1] = batch["tokens"][:, -1]
        assert torch.allclose(model.loss(hidden), model.loss(other))
        assert not torch.allclose(model.loss(batch), model.loss(hidden))


def test_samples_follow_from_the_seed(config, model):
    prepare(config)
    corpus = Corpus(config)
    films = corpus.val[:2]
    clips = torch.stack([film.read() for film in films])
    made = generate(model, config, films, clips, seed=3, steps=2)
    assert made.shape == clips.shape and made.abs().max() <= 1
    assert torch.equal(made, generate(model, config, films, clips, seed=3, steps=2))
    assert not torch.equal(made, generate(model, config, films, clips, seed=4, steps=2))
    alone = generate(model, config, films[:1], clips[:1], seed=3, steps=2)
    torch.testing.assert_close(alone, made[:1], atol=1e-3, rtol=1e-3)


def test_guidance_of_one_is_none(config, model):
    prepare(config)
    films = Corpus(config).val[:1]
    clips = torch.stack([film.read() for film in films])
    plain, near = (generate(model, config, films, clips, 0, 2, scale) for scale in (1.0, 1.0001))
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
