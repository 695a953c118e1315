"""Training learns, resumes exactly, and stops before it does damage."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from PACKAGE import build_model
from PACKAGE.checkpoint import latest_checkpoint, load_model
from PACKAGE.data import Corpus
from PACKAGE.eval import score
from PACKAGE.logs import Log
from PACKAGE.optim import build_optimizer, learning_rate
from PACKAGE.parallel import join_workers
from PACKAGE.train import train


def test_resuming_is_exact(config):
    config = replace(config, steps=6, warmup_steps=2, checkpoint_interval=2)
    train(config)
    whole = load_file(latest_checkpoint(config.run_dir) / "model.safetensors")
    broken = replace(config, run_dir="runs/broken")
    train(broken, stop_after=3)
    torch.rand(7)  # other users of the global generator do not matter
    train(broken, resume=True)
    resumed = load_file(latest_checkpoint("runs/broken") / "model.safetensors")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_loss_that_is_not_finite_stops_the_run(config, monkeypatch):
    def broken(model, batch):
        return next(p for p in model.parameters() if p.requires_grad).sum() * torch.nan

    monkeypatch.setattr(type(build_model(config)), "loss", broken)
    with pytest.raises(FloatingPointError, match="step 0"):
        train(config)
    with pytest.raises(ValueError, match="no checkpoint"):
        latest_checkpoint(config.run_dir)


def test_checkpoints_restore_the_model(config):
    config = replace(config, steps=2, warmup_steps=1)
    train(config)
    _, model, steps = load_model(config.run_dir, torch.device("cpu"))
    assert steps == 2
    workers = join_workers(replace(config, device="cpu"))
    corpus = Corpus(config)
    untrained = score(build_model(config), corpus, workers, 8)
    assert score(model, corpus, workers, 8).loss != untrained.loss


def test_a_resumed_run_continues_its_log(config, capsys):
    Path(config.run_dir).mkdir(parents=True)
    columns = ("loss", "val_loss")
    with Log(config, columns, done=0, enabled=True) as log:
        log.write(1, 3.0, None)
        log.write(2, 2.5, 4.0)
    with Log(config, columns, done=1, enabled=True) as log:
        log.write(2, 2.0, 3.5)
    lines = (Path(config.run_dir) / "log.csv").read_text(encoding="utf-8").splitlines()
    paces = [line.rpartition(",")[2] for line in lines]
    assert paces[0] == "pace" and all(float(pace) > 0 for pace in paces[1:])
    kept = [line.rpartition(",")[0] for line in lines]
    assert kept == ["step,loss,val_loss", "1,3.0,", "2,2.0,3.5"]
    assert "loss 2  val_loss 3.5" in capsys.readouterr().out


def test_the_schedule_warms_up_and_cools_down(config):
    rates = [learning_rate(step, config) for step in range(config.steps + 1)]
    assert rates[config.warmup_steps - 1] == max(rates) == config.learning_rate
    assert rates[-1] == pytest.approx(config.min_learning_rate)
    assert 0 < rates[0] < rates[1]


def test_only_matrices_decay(config):
    decayed, kept = build_optimizer(build_model(config), config).param_groups
    assert min(p.dim() for p in decayed["params"]) >= 2
    assert decayed["weight_decay"] == config.weight_decay
    if config.scans:
        assert min(p.dim() for p in kept["params"]) == 1 and kept["weight_decay"] == 0
    else:
        vectors = [sum(n > 1 for n in p.shape) < 2 for p in kept["params"]]
        assert all(vectors) and kept["weight_decay"] == 0
