"""The agent learns what its environment rewards."""

from dataclasses import replace

from PACKAGE import Config
from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_an_agent_learns_to_beat_chance(config):
    if config.observation == "image":
        shorter = dict(steps=14, global_batch=1024, n_envs=16, micro_batch=256)
    else:
        shorter = dict(steps=25, global_batch=1024, n_envs=16, micro_batch=256)
    config = replace(Config.tiny(), warmup_steps=1, eval_samples=10, **shorter)
    train(config)
    figures = evaluate(config.run_dir, "cpu", 20).figures
    margin = 0.3 * abs(figures["trivial_mean_return"])
    assert figures["mean_return"] > figures["trivial_mean_return"] + margin
    assert figures["loss"] < figures["trivial_loss"]
