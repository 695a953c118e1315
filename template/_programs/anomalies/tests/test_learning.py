"""A short training tells faults from the rest better than the distance from the mean does."""

from dataclasses import replace

from PACKAGE import Config
from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_training_beats_the_distance_from_the_mean(config):
    config = replace(Config.tiny(), steps=400, warmup_steps=20, eval_interval=400)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["loss"] < 0.9 * figures["trivial_loss"]
    for measure in ("auroc", "average_precision"):
        assert figures[measure] > figures[f"trivial_{measure}"]
