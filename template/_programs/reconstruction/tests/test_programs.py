"""Every program leaves its artifact, with or without a trained model."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from PACKAGE import bench, infer, report
from PACKAGE import eval as evaluation
from PACKAGE.train import train


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def test_pictures_are_encoded_before_any_training(config, tmp_path, monkeypatch, capsys):
    Image.new("RGB", (80, 50), (9, 99, 9)).save(tmp_path / "green.png")
    run(infer, "--pictures", "green.png", "--device", "cpu", monkeypatch=monkeypatch)
    assert "untrained" in capsys.readouterr().out
    with Image.open(tmp_path / "results" / "reconstructions.png") as sheet:
        assert sheet.width > 6 * 128 and sheet.height > 2 * 128
    assert np.load(tmp_path / "results" / "codes.npy").shape[0] == 1


def test_a_run_reconstructs_held_out_pictures(config, tmp_path, monkeypatch):
    train(replace(config, steps=2, warmup_steps=1))
    run(infer, "--limit", "7", "--device", "cpu", monkeypatch=monkeypatch)
    assert np.load(tmp_path / "results" / "codes.npy").shape[0] == 7
    run(evaluation, "--device", "cpu", monkeypatch=monkeypatch)
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert [row[0] for row in saved["rows"]][:2] == ["this model", "mean picture"]
    assert saved["figures"]["loss"] > 0


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
