"""Every program leaves its artifact, with or without a trained model."""

import csv
import json
import sys
from dataclasses import replace

import pytest

from PACKAGE import bench, infer, report
from PACKAGE import eval as evaluation
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


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def test_samples_are_predicted_before_any_training(config, tmp_path, monkeypatch, capsys):
    run(infer, "--limit", "3", "--device", "cpu", monkeypatch=monkeypatch)
    assert "untrained" in capsys.readouterr().out
    results = tmp_path / "results"
    with open(results / "predictions.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3
    for name in outputs_of(config):
        if name in FILES:
            assert (results / "predictions" / f"002_{name}{FILES[name]}").stat().st_size > 0


def test_a_run_is_evaluated(config, tmp_path, monkeypatch):
    train(replace(config, steps=2, warmup_steps=1))
    run(evaluation, "--device", "cpu", monkeypatch=monkeypatch)
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert saved["figures"]["steps"] == 2 and saved["rows"]


def test_missing_samples_are_refused(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(infer, "--input", "nowhere.csv", "--device", "cpu", monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "nowhere.csv" in capsys.readouterr().err


def test_evaluation_asks_for_a_run(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(evaluation, monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "train first" in capsys.readouterr().err


def test_benchmarks_become_a_report(config, tmp_path, monkeypatch):
    (tmp_path / "paper").mkdir()
    run(bench, "--preset", "tiny", "--device", "cpu", "--repeats", "1", monkeypatch=monkeypatch)
    figures = json.loads((tmp_path / "results" / "bench.json").read_text(encoding="utf-8"))
    assert figures["provenance"] == "measured"
    assert figures["figures"]["samples_per_s"] > 0
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")
    assert r"\begin{table}" in (tmp_path / "paper" / "measured.tex").read_text(encoding="utf-8")
