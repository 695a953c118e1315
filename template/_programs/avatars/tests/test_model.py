"""A stream is made chunk by chunk, of what was given, and never takes anything back."""

from dataclasses import replace

import pytest
import torch
from helpers import draw_zeros

from PACKAGE import build_model, synthetic_batch
from PACKAGE.data import Corpus, prepare
from PACKAGE.denoiser import kept, positions
from PACKAGE.samples import generate

TEXTS = ["a red face speaks low", "a blue face speaks high"]


@pytest.fixture
def model(model):
    """One that answers, though it was never trained."""
    draw_zeros(model.denoiser)
    return model


def conditions(model, batch):
    """States and tokens of a batch, and the past of its first chunk."""
    states = model.text_encoder(batch["tokens"])
    picture = model.autoencoder.latents(batch["video"][:, 0])
    return states, batch["tokens"], model.before(states, batch["tokens"], picture)


@torch.no_grad()
def test_chunk_by_chunk_equals_all_at_once(config, model):
    config = replace(config, history_chunks=config.chunks)
    model.denoiser.config = config
    batch = synthetic_batch(config, 2, 0)
    states, tokens, past = conditions(model, batch)
    times = batch["quantiles"] * 900
    whole, _ = model.denoiser(batch["noise"], times, states, tokens, past)
    shown, length = positions(config)
    for i in range(config.chunks):
        now = slice(i, i + 1)
        alone, past = model.denoiser(batch["noise"][:, now], times[:, now], states, tokens, past)
        past = kept(past, shown, length * config.history_chunks)
        torch.testing.assert_close(alone[:, 0], whole[:, i], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_later_chunks_change_nothing(config, model):
    batch = synthetic_batch(config, 2, 0)
    told = conditions(model, batch)
    before, _ = model.denoiser(batch["noise"], batch["quantiles"] * 900, *told)
    changed = batch["noise"].clone()
    changed[:, -1] += 1
    after, _ = model.denoiser(changed, batch["quantiles"] * 900, *told)
    torch.testing.assert_close(before[:, :-1], after[:, :-1], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(before[:, -1], after[:, -1])


def test_longer_streams_begin_like_shorter_ones(config, model):
    prepare(config)
    corpus = Corpus(config)
    pictures = torch.stack([take.read()[0][0] for take in corpus.val[:2]])
    frames, sound = generate(model, config, TEXTS, pictures, seed=3, chunks=3, steps=2)
    assert frames.shape[:2] == (2, 3 * config.chunk_frames)
    assert sound.shape == (2, 3 * config.chunk_codes * config.code_samples)
    longer, more = generate(
        model, config, TEXTS, pictures, seed=3, chunks=config.chunks + 3, steps=2
    )
    torch.testing.assert_close(longer[:, : frames.size(1)], frames)
    torch.testing.assert_close(more[:, : sound.size(1)], sound)
    assert longer.isfinite().all() and more.isfinite().all()
    other, _ = generate(model, config, TEXTS, pictures, seed=4, chunks=3, steps=2)
    assert not torch.equal(frames, other)


@torch.no_grad()
def test_dropped_conditions_are_not_seen(config, model):
    batch = synthetic_batch(config, 2, 0)
    hidden = batch | {"dropped": torch.tensor([True, True])}
    other = dict(hidden)
    other["tokens"] = batch["tokens"].flip(0)
    other["tokens"][:, -1] = batch["tokens"][:, -1]
    assert torch.allclose(model.loss(hidden), model.loss(other))
    assert not torch.allclose(model.loss(batch), model.loss(hidden))


def test_every_weight_is_trained_until_the_autoencoders_rest(config):
    model = build_model(config)
    batch = synthetic_batch(config, 2, seed=0)
    model.loss(batch).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    del batch["posterior_noise"]
    model.loss(batch).backward()
    for network in (model.autoencoder, model.sound):
        assert all(p.grad is None for p in network.parameters())
    assert all(p.grad is not None for p in model.denoiser.parameters())
