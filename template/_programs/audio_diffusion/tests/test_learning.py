"""A short training beats what takes no model, in what is denoised and in what is heard."""

from dataclasses import replace

from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_training_beats_zero_and_other_sounds(config):
    config = replace(config, steps=260, codec_share=0.4, n_layers=2)
    train(config)
    found = evaluate(config.run_dir, "cpu").figures
    assert found["steps"] == config.steps
    assert found["loss"] < 0.8 * found["zero_loss"]
    assert found["distance_db"] < found["trivial_distance_db"]
