"""A short training beats the class frequencies on accuracy."""

import math
from dataclasses import replace

import pytest
import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.data import INPUT
from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_accuracy_rises_well_above_the_commonest_class(config):
    config = replace(config, steps=200, global_batch=32, micro_batch=32)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["top1_accuracy"] > figures["trivial_top1_accuracy"] + 0.15
    assert figures["loss"] < figures["trivial_loss"] - 0.1
    assert figures["steps"] == config.steps


def test_an_untrained_model_knows_nothing(config):
    batch = synthetic_batch(config, batch_size=8, seed=0)
    model = build_model(config).eval()
    assert model(batch[INPUT]).shape == (8, config.num_classes)
    assert model.loss(batch).item() == pytest.approx(math.log(config.num_classes), abs=0.5)


def test_one_sample_of_a_batch_changes_no_other(config):
    model = build_model(config).eval()
    samples = synthetic_batch(config, batch_size=3, seed=0)[INPUT]
    with torch.inference_mode():
        apart = torch.cat([model(sample[None]) for sample in samples])
        torch.testing.assert_close(model(samples), apart, atol=1e-4, rtol=1e-4)
