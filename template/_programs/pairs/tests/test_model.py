"""The decoder is causal and caches exactly, and seeds decide."""

import math

import pytest
import torch

from PACKAGE import build_model, synthetic_batch


@pytest.fixture
def batch(config):
    return synthetic_batch(config, batch_size=2, seed=0)


@torch.inference_mode()
def test_a_token_changes_no_earlier_logits(model, batch):
    source, tokens = batch["source"], batch["target"][:, :-1]
    middle = tokens.size(1) // 2
    changed = tokens.clone()
    changed[:, middle] = (changed[:, middle] + 1) % 256
    before, after = model(source, tokens), model(source, changed)
    assert torch.equal(before[:, :middle], after[:, :middle])
    assert not torch.equal(before[:, middle], after[:, middle])


@pytest.mark.parametrize("cuts", [[], [1, 2, 3, 4], [5, 9], range(1, 120)], ids=len)
@torch.inference_mode()
def test_cached_and_uncached_logits_agree(model, batch, cuts):
    tokens, mask = batch["target"][:, :-1], batch.get("mask")
    memory = model.encode(batch["source"], mask)
    cache = model.new_cache(2, tokens.size(1))
    pieces = tokens.tensor_split([cut for cut in cuts if cut < tokens.size(1)], dim=1)
    parts = [model.score(model.decode(piece, memory, mask, cache)) for piece in pieces]
    expected = model(batch["source"], tokens, mask)
    torch.testing.assert_close(torch.cat(parts, dim=1), expected, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_generation_takes_the_likeliest_token(model, batch):
    source, start, steps = batch["source"], batch["target"][:, :1], 5
    expected = start
    for _ in range(steps):
        likeliest = model(source, expected)[:, -1].argmax(dim=-1, keepdim=True)
        expected = torch.cat((expected, likeliest), dim=1)
    end = model.config.vocab_size  # no token: nothing stops early
    assert torch.equal(model.generate(source, start, end, steps), expected)
    assert torch.equal(model.generate(source, start, end, steps, temperature=1, top_k=1), expected)


@torch.inference_mode()
def test_a_target_stops_at_its_end(model, batch):
    source, start = batch["source"], batch["target"][:, :1]
    end = int(model.generate(source, start, -1, 1)[0, 1])  # the first token of the first target
    written = model.generate(source, start, end, 5)
    assert (written[0, 1:] == end).all()


def test_too_long_a_target_is_refused(model, batch):
    with pytest.raises(ValueError, match="fit"):
        model.generate(batch["source"], batch["target"][:, :1], 0, 10**6)


def test_seeds_decide_weights_and_samples(config, model, batch):
    again = build_model(config)
    pairs = zip(model.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)

    def sampled(seed):
        start, generator = batch["target"][:, :1], torch.Generator().manual_seed(seed)
        return model.generate(batch["source"], start, -1, 9, temperature=1.0, generator=generator)

    assert torch.equal(sampled(0), sampled(0))
    assert not torch.equal(sampled(0), sampled(1))


def test_an_untrained_model_knows_nothing(config, model):
    loss = model.loss(synthetic_batch(config, batch_size=4, seed=0)).item()
    assert loss == pytest.approx(math.log(config.vocab_size), abs=0.5)
