"""Every program leaves its artifact, with or without a trained model."""

import csv
import json
import sys
from dataclasses import replace

import pytest
from PIL import Image

from PACKAGE import Config, bench, infer, report
from PACKAGE import eval as evaluation
from PACKAGE.train import train


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_series_are_named_before_any_training(config, tmp_path, monkeypatch, capsys):
    run(infer, "--limit", "5", "--device", "cpu", monkeypatch=monkeypatch)
    assert "untrained" in capsys.readouterr().out
    rows = rows_of(tmp_path / "results" / "predictions.csv")
    assert len(rows) == 5 and 0 < float(rows[0]["probability"]) <= 1
    with Image.open(tmp_path / "results" / "predictions.png") as picture:
        assert picture.width > 500 and picture.height > 500


def test_a_run_names_the_rows_of_a_table(config, tmp_path, monkeypatch):
    train(replace(config, steps=2, warmup_steps=1))
    (tmp_path / "own.csv").write_text("sine,1,2,3\nnoise,3,1,2\n", encoding="utf-8")
    run(infer, "--series", "own.csv", "--device", "cpu", monkeypatch=monkeypatch)
    rows = rows_of(tmp_path / "results" / "predictions.csv")
    assert [row["label"] for row in rows] == ["sine", "noise"]
    run(evaluation, "--device", "cpu", monkeypatch=monkeypatch)
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert [row[0] for row in saved["rows"]] == ["this model", "commonest class"]
    assert saved["figures"]["loss"] > 0


def test_missing_series_are_refused(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(infer, "--series", "nowhere.csv", monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "--series" in capsys.readouterr().err


def test_evaluation_asks_for_a_run(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(evaluation, monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "train first" in capsys.readouterr().err


def test_benchmarks_become_a_report(config, tmp_path, monkeypatch):
    flags = ["--preset", "tiny", "--device", "cpu", "--repeats", "1", "--micro-batch", "4"]
    run(bench, *flags, monkeypatch=monkeypatch)
    figures = json.loads((tmp_path / "results" / "bench.json").read_text(encoding="utf-8"))
    assert figures["provenance"] == "measured"
    assert figures["figures"]["samples_per_s"] > 0
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")


def test_the_tiny_preset_is_never_larger():
    full, tiny = Config.full(), Config.tiny()
    for name in ("d_model", "n_layers", "lookback", "num_classes"):
        assert getattr(tiny, name) <= getattr(full, name)
