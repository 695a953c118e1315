"""Seeds decide what is random."""

from dataclasses import replace

import torch

from PACKAGE import build_model


def test_the_seed_decides_the_weights(config):
    model, again = build_model(config), build_model(config).state_dict()
    other = build_model(replace(config, seed=config.seed + 1)).state_dict()
    weights = model.state_dict()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    drawn = [name for name, p in model.named_parameters() if p.requires_grad and is_drawn(p)]
    assert drawn and not any(torch.equal(weights[name], other[name]) for name in drawn)


def is_drawn(weight):
    """Whether a weight is a matrix of numbers that hardly ever occur twice."""
    return weight.dim() > 1 and weight.unique().numel() > max(1, weight.numel() / 2)
