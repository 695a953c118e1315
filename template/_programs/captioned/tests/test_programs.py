"""Every program leaves its artifact, with or without a trained model."""

import csv
import json
import sys

import pytest
from PIL import Image

from PACKAGE import bench, infer, report
from PACKAGE import eval as evaluation


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def test_search_works_before_any_training(config, tmp_path, monkeypatch, capsys):
    run(infer, "--device", "cpu", "--gallery", "9", "--queries", "2", monkeypatch=monkeypatch)
    assert "untrained" in capsys.readouterr().out
    with Image.open(tmp_path / "results" / "retrieval.png") as page:
        assert page.width > page.height
    with open(tmp_path / "results" / "retrieval.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5 and [row["rank"] for row in rows[:5]] == list("12345")


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
