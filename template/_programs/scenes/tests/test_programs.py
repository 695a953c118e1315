"""Every program leaves its artifact, with or without a trained model."""

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


def test_inference_works_before_any_training(config, tmp_path, monkeypatch, capsys):
    run(infer, "--count", "2", "--device", "cpu", monkeypatch=monkeypatch)
    assert "untrained" in capsys.readouterr().out
    (sheet,) = (tmp_path / "results").glob("*.png")
    with Image.open(sheet) as picture:
        assert picture.width > picture.height / 2
    (record,) = (tmp_path / "results").glob("*.json")
    assert len(json.loads(record.read_text(encoding="utf-8"))["pictures"]) == 2


def test_pictures_of_ones_own_are_read(config, tmp_path, monkeypatch, capsys):
    Image.new("RGB", (50, 30), (200, 30, 30)).save(tmp_path / "own.jpg")
    run(infer, "--picture", "own.jpg", "--device", "cpu", monkeypatch=monkeypatch)
    assert "own.jpg" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run(infer, "--picture", "absent.jpg", monkeypatch=monkeypatch)


def test_evaluation_asks_for_a_run(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(evaluation, monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "train first" in capsys.readouterr().err


def test_benchmarks_become_a_report(config, tmp_path, monkeypatch):
    (tmp_path / "paper").mkdir()
    flags = ["--preset", "tiny", "--device", "cpu", "--repeats", "1", "--micro-batch", "2"]
    run(bench, *flags, monkeypatch=monkeypatch)
    figures = json.loads((tmp_path / "results" / "bench.json").read_text(encoding="utf-8"))
    assert figures["provenance"] == "measured"
    assert figures["figures"]["samples_per_s"] > 0
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")
    assert r"\begin{table}" in (tmp_path / "paper" / "measured.tex").read_text(encoding="utf-8")
