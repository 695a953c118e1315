"""Training resumes exactly, reports what it did, and stops before it does damage."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import rows_of
from safetensors.torch import load_file

from PACKAGE import build_model
from PACKAGE.checkpoint import checkpoints, latest_checkpoint, load_model
from PACKAGE.eval import score
from PACKAGE.optim import build_optimizer, learning_rate
from PACKAGE.parallel import join_workers
from PACKAGE.train import train


def test_resuming_is_exact(config):
    config = replace(config, checkpoint_interval=2)
    train(config)
    whole = load_file(latest_checkpoint(config.run_dir) / "model.safetensors")
    broken = replace(config, run_dir="runs/broken")
    train(broken, stop_after=3)
    torch.rand(7)  # other users of the global generator do not matter
    train(broken, resume=True)
    resumed = load_file(latest_checkpoint("runs/broken") / "model.safetensors")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_experience_stays_beside_its_checkpoint(config):
    train(replace(config, checkpoint_interval=1))
    steps = {folder.name.removeprefix("step-") for folder in checkpoints(config.run_dir)}
    kept = {p.stem.removeprefix("experience-") for p in Path(config.run_dir).glob("*.pt")}
    assert kept == steps
    for path in Path(config.run_dir).glob("*.pt"):
        path.unlink()
    with pytest.raises(ValueError, match="missing"):
        train(replace(config, steps=7), resume=True)


def test_the_log_tells_returns(config):
    train(replace(config, log_interval=1, eval_interval=3))
    rows = rows_of(Path(config.run_dir) / "log.csv")
    assert [int(row["step"]) for row in rows] == list(range(1, 7))
    assert [bool(row["mean_return"]) for row in rows] == [False, False, True] * 2


def test_a_loss_that_is_not_finite_stops_the_run(config, monkeypatch):
    def broken(model, batch):
        return next(model.parameters()).sum() * torch.nan

    monkeypatch.setattr(type(build_model(config)), "loss", broken)
    with pytest.raises(FloatingPointError, match="step 0"):
        train(config)
    with pytest.raises(ValueError, match="no checkpoint"):
        latest_checkpoint(config.run_dir)


def test_checkpoints_restore_the_model(config):
    train(config, stop_after=2)
    _, model, steps = load_model(config.run_dir, torch.device("cpu"))
    assert steps == 2
    workers = join_workers(replace(config, device="cpu"))
    again = score(model, config, workers, 2)
    assert torch.equal(again.returns, score(model, config, workers, 2).returns)
    assert again.loss == -again.mean_return


def test_the_schedule_warms_up_and_cools_down(config):
    rates = [learning_rate(step, config) for step in range(config.steps + 1)]
    assert rates[config.warmup_steps - 1] == max(rates) == config.learning_rate
    assert rates[-1] == pytest.approx(config.min_learning_rate)


def test_only_matrices_decay(config):
    decayed, kept = build_optimizer(build_model(config), config).param_groups
    assert min(p.dim() for p in decayed["params"]) >= 2
    vectors = [sum(n > 1 for n in p.shape) < 2 for p in kept["params"]]
    assert all(vectors) and kept["weight_decay"] == 0
