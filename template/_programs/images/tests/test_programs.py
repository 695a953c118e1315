"""Every program leaves its artifact, with or without a trained model."""

import csv
import json
import sys
from dataclasses import replace

import pytest
from PIL import Image

from PACKAGE import bench, infer, report
from PACKAGE import eval as evaluation
from PACKAGE.train import train


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def predictions(folder):
    with open(folder / "results" / "predictions.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_pictures_are_named_before_any_training(config, tmp_path, monkeypatch, capsys):
    Image.new("RGB", (80, 50), (9, 99, 9)).save(tmp_path / "green.png")
    flags = ["--pictures", "green.png", "--device", "cpu"]
    run(infer, *flags, monkeypatch=monkeypatch)
    assert "untrained" in capsys.readouterr().out
    (row,) = predictions(tmp_path)
    assert row["picture"] == "green.png" and row["predicted"] and row["label"] == ""
    with Image.open(tmp_path / "results" / "predictions.png") as sheet:
        assert sheet.width > 128


def test_a_run_names_held_out_pictures(config, tmp_path, monkeypatch):
    train(replace(config, steps=2, warmup_steps=1))
    run(infer, "--limit", "5", "--device", "cpu", monkeypatch=monkeypatch)
    rows = predictions(tmp_path)
    assert len(rows) == 5 and all(row["label"] and 0 <= float(row["probability"]) for row in rows)
    run(evaluation, "--device", "cpu", monkeypatch=monkeypatch)
    with open(tmp_path / "results" / "confusion.csv", encoding="utf-8", newline="") as file:
        names, *counts = csv.reader(file)
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert sum(int(n) for row in counts for n in row[1:]) <= saved["figures"]["pictures"]
    assert len(counts) == len(names) - 1


def test_missing_pictures_are_refused(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(infer, "--pictures", "nowhere", monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "--pictures" in capsys.readouterr().err


def test_evaluation_asks_for_a_run(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(evaluation, monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "train first" in capsys.readouterr().err


def test_benchmarks_become_a_report(config, tmp_path, monkeypatch):
    (tmp_path / "paper").mkdir()
    flags = ["--preset", "tiny", "--device", "cpu", "--repeats", "1", "--micro-batch", "4"]
    run(bench, *flags, monkeypatch=monkeypatch)
    figures = json.loads((tmp_path / "results" / "bench.json").read_text(encoding="utf-8"))
    assert figures["provenance"] == "measured"
    assert figures["figures"]["samples_per_s"] > 0
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")
    assert r"\begin{table}" in (tmp_path / "paper" / "measured.tex").read_text(encoding="utf-8")
