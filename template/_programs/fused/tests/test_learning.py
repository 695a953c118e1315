"""A short training beats what needs no model on every measure."""

from dataclasses import replace

from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_every_output_is_learned(config):
    config = replace(config, steps=240, warmup_steps=30)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["steps"] == config.steps
    if "accuracy" in figures:
        assert figures["accuracy"] > figures["trivial_accuracy"] + 0.15
    if "mean_absolute_error" in figures:
        assert figures["mean_absolute_error"] < 0.8 * figures["trivial_mean_absolute_error"]
    if "recall_1" in figures:
        assert figures["recall_1"] > figures["trivial_recall_1"] + 0.15
