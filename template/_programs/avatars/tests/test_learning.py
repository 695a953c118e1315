"""Training denoises takes that it never saw, and makes streams nearer to them than noise is."""

from dataclasses import replace

from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_every_metric_beats_the_trivial_one(config):
    config = replace(config, steps=150, autoencoder_steps=80, warmup_steps=12)
    train(config)
    found = evaluate(config.run_dir, "cpu", made=16).figures
    assert found["steps"] == config.steps
    assert found["loss"] < 0.95 * found["zero_loss"]
    assert found["frame_distance"] < found["noise_frame_distance"]
    assert found["motion_distance"] < found["noise_motion_distance"]
    assert found["spectral_distance"] < found["noise_spectral_distance"]
