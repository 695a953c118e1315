"""A short training beats what takes no model, in likelihood and in sound."""

from dataclasses import replace

from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_training_beats_unigrams_and_other_sounds(config):
    config = replace(config, steps=400, codec_share=0.25)
    train(config)
    found = evaluate(config.run_dir, "cpu").figures
    assert found["steps"] == config.steps
    assert found["loss"] < found["unigram_loss"] - 0.3
    assert found["distance_db"] < found["trivial_distance_db"]
