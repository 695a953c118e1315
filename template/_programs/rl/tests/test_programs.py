"""Every program leaves its artifact, with or without a trained model."""

import csv
import json
import sys

import pytest
from PIL import Image

from PACKAGE import bench, infer, report
from PACKAGE import eval as evaluation
from PACKAGE.train import train


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def test_an_episode_becomes_a_table_and_a_film(config, tmp_path, monkeypatch, capsys):
    run(infer, "--device", "cpu", monkeypatch=monkeypatch)
    assert "untrained" in capsys.readouterr().out
    with open(tmp_path / "results" / "episode.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(len(rows)))
    assert all("action_0" in row and "reward" in row for row in rows)
    with Image.open(tmp_path / "results" / "episode.gif") as film:
        assert film.n_frames > 1


def test_a_run_is_evaluated(config, tmp_path, monkeypatch):
    train(config, stop_after=1)
    run(evaluation, "--device", "cpu", "--episodes", "3", monkeypatch=monkeypatch)
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert saved["figures"]["episodes"] == 3 and len(saved["rows"]) > 1


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
    assert figures["figures"]["samples_per_s"] >= 60  # in real time
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")
    assert r"\begin{table}" in (tmp_path / "paper" / "measured.tex").read_text(encoding="utf-8")
