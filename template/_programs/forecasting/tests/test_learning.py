"""A short training beats the last season and the last value, on built-in and on real series."""

from dataclasses import replace

from PACKAGE import Config
from PACKAGE.data import Corpus
from PACKAGE.eval import evaluate, score
from PACKAGE.model import build_model
from PACKAGE.parallel import join_workers
from PACKAGE.train import train


def test_training_beats_the_last_season(config):
    config = replace(Config.tiny(), steps=300, warmup_steps=20, eval_samples=32)
    untrained = score(build_model(config), Corpus(config), join_workers(config), 200).loss
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["loss"] < 0.7 * untrained
    for kind in ("", "real_"):
        found = figures[f"{kind}weighted_quantile_loss"]
        if config.pool == "mean":  # such a head learns more slowly where patches stand
            assert found < 1.1 * figures[f"last_value_{kind}weighted_quantile_loss"]
        elif config.horizon > 1:
            assert found < figures[f"last_value_{kind}weighted_quantile_loss"]
            assert found < figures[f"trivial_{kind}weighted_quantile_loss"]
