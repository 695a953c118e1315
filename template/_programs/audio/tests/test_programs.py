"""Every program leaves its artifact, with or without a trained model."""

import csv
import json
import sys

import pytest
import torch

from PACKAGE import bench, infer, report
from PACKAGE import eval as evaluation
from PACKAGE.wav import read_wav, write_wav


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def test_naming_works_before_any_training(config, tmp_path, monkeypatch):
    run(infer, "--device", "cpu", "--limit", "3", monkeypatch=monkeypatch)
    results = tmp_path / "results"
    with open(results / "predictions.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 and {"sound", "predicted", "probability", "label"} == rows[0].keys()
    assert len(read_wav(results / "heard.wav", config.sample_rate))
    assert (results / "spectrogram.png").exists()


def test_own_sounds_are_named(config, tmp_path, monkeypatch):
    write_wav(tmp_path / "noise.wav", torch.rand(5000) - 0.5, 8000)
    flags = ("--device", "cpu", "--input", str(tmp_path / "noise.wav"))
    run(infer, *flags, monkeypatch=monkeypatch)
    assert "noise.wav" in (tmp_path / "results" / "predictions.csv").read_text(encoding="utf-8")


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
