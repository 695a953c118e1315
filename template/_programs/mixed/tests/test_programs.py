"""Every program leaves its artifact, with or without a trained model."""

import json
from dataclasses import replace

import pytest
from helpers import rows_of

from PACKAGE import eval as evaluation
from PACKAGE import infer
from PACKAGE.data import outputs_of
from PACKAGE.train import train

FILES = {
    "text": ".txt",
    "image": ".png",
    "segmentation_mask": ".png",
    "audio": ".wav",
    "video": ".gif",
    "time_series": ".csv",
    "3d": ".obj",
    "graph": ".json",
    "bounding_boxes": ".json",
}


def test_samples_are_predicted_before_any_training(config, run, tmp_path, capsys):
    run(infer, "--limit", "3", "--device", "cpu")
    assert "untrained" in capsys.readouterr().out
    results = tmp_path / "results"
    assert len(rows_of(results / "predictions.csv")) == 3
    for name in outputs_of(config):
        if name in FILES:
            assert (results / "predictions" / f"002_{name}{FILES[name]}").stat().st_size > 0


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
