"""The model is a function of its seed and its images, and learns."""

import math
from dataclasses import replace

import pytest
import torch
from helpers import learn

from PACKAGE import build_model, synthetic_batch
from PACKAGE.eval import evaluate
from PACKAGE.train import train


@torch.inference_mode()
def test_images_do_not_influence_each_other(config, model):
    images = synthetic_batch(config, 4, 0)["images"]
    scores = model(images)
    assert scores.shape == (4, config.num_classes)
    torch.testing.assert_close(model(images[:1]), scores[:1], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(scores[0], scores[1], atol=1e-6)


def test_an_untrained_model_knows_nothing(config, model):
    loss = model.loss(synthetic_batch(config, 16, 0)).item()
    assert loss == pytest.approx(math.log(config.num_classes), abs=1.0)


def test_one_batch_can_be_learned(config):
    losses = learn(build_model(config), synthetic_batch(config, 8, 0), steps=20, rate=1e-3)
    assert losses[-1] < losses[0] / 2


def test_training_beats_the_commonest_class(config):
    config = replace(config, steps=120, global_batch=32, micro_batch=32, val_fraction=0.05)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["top1_accuracy"] > figures["trivial_top1_accuracy"] + 0.05
    assert figures["loss"] < figures["trivial_loss"]
    assert figures["steps"] == config.steps
