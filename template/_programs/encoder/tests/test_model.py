"""The model reads whole texts, ignores padding, and is a function of its seed."""

from dataclasses import replace

import pytest
import torch

from PACKAGE import build_model, synthetic_batch


@pytest.fixture
def tokens(config):
    return synthetic_batch(config, batch_size=2, seed=0)["tokens"][:2]


@torch.inference_mode()
def test_padding_changes_nothing(model, tokens):
    seen = torch.ones_like(tokens, dtype=torch.bool)
    longer = torch.cat((tokens, torch.full((2, 9), 258)), dim=1)
    mask = torch.cat((seen, torch.zeros(2, 9, dtype=torch.bool)), dim=1)
    short, long = model(tokens, seen), model(longer, mask)
    if short.dim() == 3:
        long = long[:, : tokens.size(1)]
    torch.testing.assert_close(short, long, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(short, model(tokens), atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_every_token_is_seen_from_the_first_one(config, tokens):
    hidden = build_model(replace(config, init_std=0.2)).eval().hidden
    changed = tokens.clone()
    changed[:, -2] = (changed[:, -2] + 1) % 256
    before, after = hidden(tokens, None, None), hidden(changed, None, None)
    assert not torch.equal(before[:, 0], after[:, 0])


def test_seeds_decide_weights(config, model):
    again, other = build_model(config), build_model(replace(config, seed=config.seed + 1))
    assert all(map(torch.equal, model.parameters(), again.parameters()))
    assert not all(map(torch.equal, model.parameters(), other.parameters()))


def test_every_parameter_learns(config, model):
    model.loss(synthetic_batch(config, batch_size=2, seed=0)).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
