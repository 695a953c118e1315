"""Every program leaves its artifact, with or without a trained model."""

import json
from dataclasses import replace

import pytest
from helpers import rows_of

from PACKAGE import eval as evaluation
from PACKAGE import infer
from PACKAGE.data import inputs_of
from PACKAGE.train import train


def test_samples_are_predicted_before_any_training(config, run, tmp_path, capsys):
    run(infer, "--limit", "5", "--device", "cpu")
    assert "untrained" in capsys.readouterr().out
    assert len(rows_of(tmp_path / "results" / "predictions.csv")) == 5
    drawn = (tmp_path / "results" / "predictions.png").exists()
    assert drawn == ("image" in inputs_of(config))


def test_a_run_is_evaluated(config, run, tmp_path):
    train(replace(config, steps=2, warmup_steps=1))
    run(evaluation, "--device", "cpu")
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert saved["figures"]["steps"] == 2 and saved["rows"]


def test_missing_samples_are_refused(config, run, capsys):
    with pytest.raises(SystemExit) as stop:
        run(infer, "--input", "nowhere.csv", "--device", "cpu")
    assert stop.value.code == 2
    assert "nowhere.csv" in capsys.readouterr().err
