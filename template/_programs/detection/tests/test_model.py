"""The model is a function of its seed, pairs queries with objects, and learns to find them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.answers import answers, truths
from PACKAGE.model import assign, generalised_iou
from PACKAGE.train import train


@torch.inference_mode()
def test_every_query_answers(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, batch_size=2, seed=0)
    found = model(batch["images"])
    assert found["logits"].shape == (2, config.num_queries, config.num_classes + 1)
    assert found["boxes"].shape == (2, config.num_queries, 4)
    assert found["boxes"].min() >= 0 and found["boxes"].max() <= 1
    assert len(answers(model, batch["images"])) == len(truths(batch)) == 2


@pytest.mark.parametrize("shape", [(1, 0), (1, 1), (4, 2), (5, 5), (6, 3)])
def test_no_pairing_is_cheaper(shape):
    costs = np.random.default_rng(0).normal(size=shape)
    rows, columns = assign(costs)
    assert sorted(columns.tolist()) == list(range(shape[1]))
    every = itertools.permutations(range(shape[0]), shape[1])
    best = min(sum(costs[row, column] for column, row in enumerate(rows)) for rows in every)
    assert costs[rows, columns].sum() == pytest.approx(best)


def test_overlap_of_boxes():
    unit = torch.tensor([0.5, 0.5, 0.2, 0.2])
    beside = torch.tensor([0.7, 0.5, 0.2, 0.2])
    assert generalised_iou(unit, unit).item() == pytest.approx(1)
    assert generalised_iou(unit, beside).item() == pytest.approx(0, abs=1e-6)
    far = torch.tensor([0.9, 0.5, 0.2, 0.2])
    assert generalised_iou(unit, far).item() == pytest.approx(-1 / 3)


def test_pictures_without_objects_have_a_loss(config):
    batch = synthetic_batch(config, batch_size=2, seed=0)
    batch["labels"][:] = -1
    loss = build_model(config).loss(batch)
    loss.backward()
    assert torch.isfinite(loss)


def test_the_loss_falls(config):
    config = replace(config, steps=60, learning_rate=0.002)
    before = build_model(config).loss(synthetic_batch(config, 16, 0)).item()
    assert train(config) < before - 1
