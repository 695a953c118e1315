"""Every program leaves its artifact, with or without a trained model."""

import csv
import json
import sys

import pytest

from PACKAGE import bench, infer, report
from PACKAGE import eval as evaluation


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def test_answers_come_before_any_training(config, tmp_path, monkeypatch):
    run(infer, "--device", "cpu", "--limit", "3", monkeypatch=monkeypatch)
    results = tmp_path / "results"
    with open(results / "predictions.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) >= 3
    (drawing,) = results.glob("*.png")
    assert drawing.read_bytes().startswith(b"\x89PNG")


def test_evaluation_asks_for_a_run(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(evaluation, monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "train first" in capsys.readouterr().err


def test_benchmarks_become_a_report(config, tmp_path, monkeypatch):
    flags = ["--preset", "tiny", "--device", "cpu", "--repeats", "1", "--n-layers", "1"]
    run(bench, *flags, monkeypatch=monkeypatch)
    figures = json.loads((tmp_path / "results" / "bench.json").read_text(encoding="utf-8"))
    assert figures["provenance"] == "measured"
    assert figures["figures"]["samples_per_s"] > 0
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")
