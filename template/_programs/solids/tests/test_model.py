"""The denoiser sees what it should, and what it makes is a function of the noise."""

import pytest
import torch
from helpers import draw_zeros

from PACKAGE import build_model, synthetic_batch
from PACKAGE.data import Corpus, prepare
from PACKAGE.model import shape_size
from PACKAGE.samples import generate


@pytest.fixture
def model(model):
    """One that answers, though it was never trained."""
    draw_zeros(model.denoiser)
    return model


def told(model, config, batch):
    """What the denoiser is told of a batch."""
    if config.conditioned:
        nothing = torch.zeros(len(batch["noise"]), dtype=torch.bool)
        return model.told(batch, nothing)
    else:
        return {}


@torch.no_grad()
def test_every_place_matters_to_every_other(config, model):
    batch = synthetic_batch(config, 1, 0)
    seen, times = told(model, config, batch), torch.tensor([300.0])
    before = model.denoiser(batch["noise"], times, **seen)
    changed = batch["noise"].clone()
    changed[:, -1] += 1
    after = model.denoiser(changed, times, **seen)
    assert (before - after).abs().flatten(2).amax(dim=(0, 2)).min() > 0


@torch.no_grad()
def test_shapes_of_a_batch_do_not_meet(config, model):
    batch = synthetic_batch(config, 2, 0)
    times = torch.tensor([300.0, 700.0])
    both = model.denoiser(batch["noise"], times, **told(model, config, batch))
    second = {name: part[1:] for name, part in batch.items()}
    alone = model.denoiser(second["noise"], times[1:], **told(model, config, second))
    torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_what_is_dropped_is_not_seen(config, model):
    batch = synthetic_batch(config, 2, 0)
    assert torch.equal(model.loss(batch), model.loss(batch))
    if config.conditioned:
        batch["dropped"] = torch.tensor([False, False])
        hidden = batch | {"dropped": torch.tensor([True, True])}
        other = dict(hidden)
        if config.reads_text:
            other["tokens"] = batch["tokens"].flip(0)
            other["tokens"][:, -1] = batch["tokens"][:, -1]
        if config.reads_image:
            other["pictures"] = batch["pictures"].flip(0)
        if config.labelled:
            other["labels"] = config.num_classes - 1 - batch["labels"]
        assert torch.allclose(model.loss(hidden), model.loss(other))
        assert not torch.allclose(model.loss(batch), model.loss(hidden))


def test_samples_follow_from_the_seed(config, model):
    prepare(config)
    corpus = Corpus(config)
    sources = corpus.val[:2]
    made = generate(model, corpus, sources, seed=3, steps=2)
    assert made.shape == (2, *shape_size(config))
    assert torch.equal(made, generate(model, corpus, sources, seed=3, steps=2))
    assert not torch.equal(made, generate(model, corpus, sources, seed=4, steps=2))
    alone = generate(model, corpus, sources[:1], seed=3, steps=2)
    torch.testing.assert_close(alone, made[:1], atol=1e-3, rtol=1e-3)


def test_guidance_of_one_is_none(config, model):
    prepare(config)
    corpus = Corpus(config)
    plain, near = (generate(model, corpus, corpus.val[:1], 0, 2, s) for s in (1.0, 1.0001))
    torch.testing.assert_close(plain, near, atol=1e-2, rtol=1e-2)


def test_every_weight_is_trained(config):
    model = build_model(config)
    model.loss(synthetic_batch(config, 2, seed=0)).backward()
    assert all(p.grad is not None for p in model.parameters())
