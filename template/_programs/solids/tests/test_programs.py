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


def test_shapes_are_made_before_any_training(config, tmp_path, monkeypatch, capsys):
    flags = ["--device", "cpu", "--samples", "2", "--steps", "2"]
    if config.reads_text:
        flags += ["--text", "a tall thin cylinder"]
    if config.labelled:
        flags += ["--label", "ball"]
    run(infer, *flags, monkeypatch=monkeypatch)
    assert "untrained" in capsys.readouterr().out
    made = sorted(path.name for path in (tmp_path / "results" / "shapes").iterdir())
    ending = "ply" if config.representation == "points" else "obj"
    assert made == [f"00.{ending}", "00.png", f"01.{ending}", "01.png"]
    for path in ("shapes/00.png", "shapes.png"):
        with Image.open(tmp_path / "results" / path) as page:
            assert page.mode == "RGB"


def test_evaluation_asks_for_a_run(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(evaluation, monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "train first" in capsys.readouterr().err


def test_benchmarks_become_a_report(config, tmp_path, monkeypatch):
    flags = ["--preset", "tiny", "--device", "cpu", "--repeats", "1", "--n-layers", "2"]
    run(bench, *flags, monkeypatch=monkeypatch)
    figures = json.loads((tmp_path / "results" / "bench.json").read_text(encoding="utf-8"))
    assert figures["provenance"] == "measured"
    assert figures["figures"]["samples_per_s"] > 0
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")
