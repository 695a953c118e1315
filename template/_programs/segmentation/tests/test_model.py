"""The model is a function of its seed, scores every pixel, and learns to."""

import math
from dataclasses import replace

import pytest
import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.eval import Score, confused, evaluate
from PACKAGE.train import train


@torch.inference_mode()
def test_every_pixel_has_a_score_for_every_class(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, batch_size=2, seed=0)
    side = config.image_size
    assert batch["mask"].shape == (2, side, side)
    assert model.scores(batch["images"]).shape == (2, config.num_classes, side, side)


def test_an_untrained_model_knows_nothing(config):
    loss = build_model(config).loss(synthetic_batch(config, batch_size=4, seed=0)).item()
    assert loss == pytest.approx(math.log(config.num_classes), abs=1)


def test_ignored_pixels_do_not_count(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, batch_size=2, seed=0)
    half = config.image_size // 2
    batch["mask"][:, half:] = -1
    ignored = model.loss(batch)
    assert torch.isfinite(ignored)
    truth = torch.tensor([0, 1, 1, -1])
    score = Score(0.0, confused(truth, torch.tensor([0, 1, 0, 1]), 3))
    assert score.accuracy == pytest.approx(2 / 3) and score.mean_iou == pytest.approx(0.5)


def test_training_beats_the_most_frequent_class(config):
    train(replace(config, steps=100, global_batch=8, micro_batch=8, learning_rate=0.003))
    table = evaluate(config.run_dir, "cpu")
    assert table.figures["steps"] == 100
    assert table.figures["mean_iou"] > 1.2 * table.figures["trivial_mean_iou"]
    assert table.figures["accuracy"] > table.figures["trivial_accuracy"]
