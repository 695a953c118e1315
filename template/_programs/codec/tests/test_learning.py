"""A short training restores sounds better than silence does, in both measures."""

from dataclasses import replace

from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_sounds_come_back_better_than_silence(config):
    config = replace(config, steps=150, global_batch=16, micro_batch=16, val_fraction=0.01)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["loss"] < 0.8 * figures["silence_loss"]
    assert figures["loss"] < figures["noise_loss"]
    assert figures["log_spectral_distance"] < 0.95 * figures["silence_distance"]
    assert figures["log_spectral_distance"] < figures["noise_distance"]
    assert figures["steps"] == config.steps
