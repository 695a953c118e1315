"""The model is causal, caches exactly, and looks at its picture."""

import pytest
import torch

from PACKAGE import synthetic_batch


@pytest.fixture
def batch(config):
    return synthetic_batch(config, 2, seed=0)


@torch.inference_mode()
def test_a_token_changes_no_earlier_logits(model, batch):
    images, tokens = batch["images"], batch["tokens"]
    changed = tokens.clone()
    changed[:, 7] = (changed[:, 7] + 1) % 256
    before, after = model(images, tokens), model(images, changed)
    torch.testing.assert_close(before[:, :7], after[:, :7])
    assert not torch.equal(before[:, 7], after[:, 7])


@torch.inference_mode()
def test_the_picture_changes_the_logits(model, batch):
    images, tokens = batch["images"], batch["tokens"]
    assert not torch.allclose(model(images, tokens), model(-images, tokens))


@torch.inference_mode()
def test_generation_equals_that_without_a_cache(model, batch):
    images, prompt = batch["images"], batch["tokens"][:, :5]
    expected = prompt
    for _ in range(6):
        likeliest = model(images, expected)[:, -1].argmax(dim=-1, keepdim=True)
        expected = torch.cat((expected, likeliest), dim=1)
    assert torch.equal(model.generate(images, prompt, 6), expected)


@torch.inference_mode()
def test_cached_and_uncached_logits_agree(model, batch):
    images, tokens = batch["images"], batch["tokens"][:, :12]
    seen = torch.cat((model.look(images), model.embed(tokens)), dim=1)
    cache = model.new_cache(2, seen.size(1))
    cuts = [seen.size(1) - 12, seen.size(1) - 4, seen.size(1) - 1]
    pieces = [model.lm_head(model.hidden(x, cache)) for x in seen.tensor_split(cuts, dim=1)]
    cached = torch.cat(pieces, dim=1)[:, -12:]
    torch.testing.assert_close(cached, model(images, tokens), atol=1e-4, rtol=1e-4)


def test_too_long_an_answer_is_refused(config, model, batch):
    with pytest.raises(ValueError, match="positions"):
        model.generate(batch["images"], batch["tokens"], config.context_length)
