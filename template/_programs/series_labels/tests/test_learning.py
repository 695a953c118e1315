"""A short training names more classes rightly than the commonest class does."""

from dataclasses import replace

from PACKAGE import Config
from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_training_beats_the_commonest_class(config):
    config = replace(Config.tiny(), steps=150, warmup_steps=20, eval_interval=150)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["top1_accuracy"] > figures["trivial_top1_accuracy"] + 0.15
    assert figures["loss"] < 0.8 * figures["trivial_loss"]
