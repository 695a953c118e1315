"""A short training beats the commonest class, and the same network without edges."""

import math
from dataclasses import replace

import pytest
import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_accuracy_rises_above_what_features_alone_tell(config):
    config = replace(config, steps=150, global_batch=32, micro_batch=32, warmup_steps=10)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["accuracy"] > figures["trivial_accuracy"] + 0.2
    assert figures["accuracy"] > figures["blind_accuracy"] + 0.1
    assert figures["loss"] < figures["blind_loss"] - 0.1
    assert figures["loss"] < figures["trivial_loss"] - 0.2
    assert evaluate(config.run_dir, "cpu").figures == figures  # the blind one was kept


def test_an_untrained_model_knows_nothing(config):
    batch = synthetic_batch(config, batch_size=64, seed=0)
    model = build_model(config).eval()
    assert model(batch).shape == (64, config.num_classes)
    assert model.loss(batch).item() == pytest.approx(math.log(config.num_classes), abs=1.0)


def test_one_sample_of_a_batch_changes_no_other(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, batch_size=2, seed=0)
    other = dict(batch)
    other["nodes"] = batch["nodes"].clone()
    other["nodes"][len(batch["nodes"]) // 2 :] += 1.0
    with torch.inference_mode():
        first, second = model(batch), model(other)
    torch.testing.assert_close(first[0], second[0])
    assert not torch.allclose(first[1], second[1])
