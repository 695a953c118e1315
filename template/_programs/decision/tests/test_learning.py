"""The model does better when more is asked of it, and better than the data on average."""

from dataclasses import replace

import torch

from PACKAGE import Config, build_model, synthetic_batch
from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_asking_for_the_best_beats_the_mean_of_the_data(config):
    config = replace(Config.tiny(), steps=160, warmup_steps=10, episodes=150, eval_samples=32)
    train(config)
    figures = evaluate(config.run_dir, "cpu", 15).figures
    assert figures["loss"] < figures["trivial_loss"]
    assert figures["mean_return"] > figures["trivial_mean_return"]


@torch.inference_mode()
def test_the_future_is_not_seen(config):
    model, batch = build_model(config).eval(), synthetic_batch(config, 2, 0)

    def answers():
        actions = model.encode(batch["actions"])
        return model(batch["states"], actions, batch["returns"], batch["times"])[1]

    before = answers()
    batch["states"][:, 4:] += 1
    batch["returns"][:, 4:] += 1
    after = answers()
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])
