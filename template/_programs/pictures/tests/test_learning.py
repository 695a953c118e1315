"""A short training beats the trivial predictor, and makes pictures that are more like pictures."""

from dataclasses import replace

from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_training_beats_zero_and_noise(config):
    config = replace(config, steps=80, global_batch=16, micro_batch=16, warmup_steps=8)
    if config.space == "latent":
        config = replace(config, autoencoder_steps=60)
    train(replace(config, sampling_steps=min(8, config.sampling_steps)))
    figures = evaluate(config.run_dir, "cpu", samples=64).figures
    assert figures["steps"] == config.steps
    assert figures["loss"] < 0.75 * figures["trivial_loss"]
    assert figures["sliced_distance"] < 0.8 * figures["noise_sliced_distance"]
