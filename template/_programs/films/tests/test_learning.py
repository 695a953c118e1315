"""Training denoises clips that it never saw, and makes clips that are nearer to them than noise."""

from dataclasses import replace

from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_both_metrics_beat_the_trivial_ones(config):
    config = replace(config, steps=120, autoencoder_steps=60, warmup_steps=12, sampling_steps=8)
    train(config)
    found = evaluate(config.run_dir, "cpu", made=24).figures
    assert found["steps"] == config.steps
    assert found["loss"] < 0.9 * found["zero_loss"]
    assert found["frame_distance"] < found["noise_frame_distance"]
    assert found["motion_distance"] < found["noise_motion_distance"]
