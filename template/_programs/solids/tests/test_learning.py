"""Training denoises shapes that it never saw, and makes shapes that are nearer than the trivial."""

from dataclasses import replace

from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_both_metrics_beat_the_trivial_ones(config):
    config = replace(config, global_batch=16, micro_batch=16, eval_samples=16)
    if config.representation == "grid":
        config = replace(config, steps=320, warmup_steps=20, sampling_steps=10)
    else:
        config = replace(config, steps=200, warmup_steps=12, sampling_steps=10)
    train(config)
    found = evaluate(config.run_dir, "cpu", made=16).figures
    assert found["steps"] == config.steps
    if config.representation == "grid":
        assert found["loss"] < 0.6 * found["zero_loss"]
    else:  # where along its surface a point belongs, nothing tells
        assert found["loss"] < 0.95 * found["zero_loss"]
    assert found["chamfer"] < found["noise_chamfer"]
    if config.reads_text:
        assert found["chamfer"] < found["mean_chamfer"]
