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


def test_asking_works_before_any_training(config, tmp_path, monkeypatch):
    Image.new("RGB", (50, 40), "red").save(tmp_path / "red.png")
    flags = ["--image", "red.png", "--question", "what colour?", "--max-new-tokens", "3"]
    run(infer, *flags, "--device", "cpu", monkeypatch=monkeypatch)
    text = (tmp_path / "results" / "answers.txt").read_text(encoding="utf-8")
    assert "untrained" in text and "Q: what colour?" in text
    with Image.open(tmp_path / "results" / "answers.png") as page:
        assert page.width > 50


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
    assert figures["figures"]["decode_tokens_per_s"] > 0
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")
    assert r"\begin{table}" in (tmp_path / "paper" / "measured.tex").read_text(encoding="utf-8")
