"""The model is causal, caches exactly, and is a function of its seed."""

import math

import pytest
import torch

from PACKAGE import build_model, synthetic_batch


@pytest.fixture
def tokens(config):
    """Two sequences, longer than the attention window of a model that has one."""
    return synthetic_batch(config, batch_size=2, seed=0)["tokens"][:, :-1]


@torch.inference_mode()
def test_a_token_changes_no_earlier_logits(model, tokens):
    middle = tokens.size(1) // 2
    changed = tokens.clone()
    changed[:, middle] = (changed[:, middle] + 1) % 256
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :middle], after[:, :middle])
    assert not torch.equal(before[:, middle], after[:, middle])


@pytest.mark.parametrize("cuts", [[], [1, 2, 3, 4], [50, 51, 52], range(1, 120)], ids=len)
@torch.inference_mode()
def test_cached_and_uncached_logits_agree(model, tokens, cuts):
    cache = model.new_cache(2, tokens.size(1))
    pieces = tokens.tensor_split([cut for cut in cuts if cut < tokens.size(1)], dim=1)
    parts = [model(piece, cache) for piece in pieces]
    torch.testing.assert_close(torch.cat(parts, dim=1), model(tokens), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_generation_without_temperature_takes_the_likeliest_token(model, tokens):
    prompt, count = tokens.tensor_split(2, dim=1)[0], 5
    expected = prompt
    for _ in range(count):
        likeliest = model(expected)[:, -1].argmax(dim=-1, keepdim=True)
        expected = torch.cat((expected, likeliest), dim=1)
    assert torch.equal(model.generate(prompt, count, temperature=0), expected)
    assert torch.equal(model.generate(prompt, count, top_k=1), expected)
    assert torch.equal(model.generate(prompt, count, top_p=1e-6), expected)


@pytest.mark.parametrize("bad", [{"temperature": -1}, {"top_k": 0}, {"top_p": 0}, {"top_p": 2}])
def test_sampling_refuses_nonsense(model, tokens, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        model.generate(tokens[:, :3], 1, **bad)


def test_seeds_decide_weights_and_samples(config, model, tokens):
    again = build_model(config)
    pairs = zip(model.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)

    def sampled(seed):
        return model.generate(tokens[:, :3], 9, generator=torch.Generator().manual_seed(seed))

    assert torch.equal(sampled(0), sampled(0))
    assert not torch.equal(sampled(0), sampled(1))


def test_an_untrained_model_knows_nothing(config, model):
    loss = model.loss(synthetic_batch(config, batch_size=4, seed=0)).item()
    assert loss == pytest.approx(math.log(config.vocab_size), abs=0.5)
