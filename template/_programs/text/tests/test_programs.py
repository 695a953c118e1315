"""Every program leaves its artifact, with or without a trained model."""

import json
import sys

import pytest

from PACKAGE import bench, infer, report
from PACKAGE import eval as evaluation


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def test_sampling_works_before_any_training(config, tmp_path, monkeypatch):
    run(infer, "--max-new-tokens", "5", "--device", "cpu", monkeypatch=monkeypatch)
    assert "untrained" in (tmp_path / "results" / "sample.txt").read_text(encoding="utf-8")


def test_evaluation_asks_for_a_run(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(evaluation, monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "train first" in capsys.readouterr().err


def test_benchmarks_become_a_report(config, tmp_path, monkeypatch):
    (tmp_path / "paper").mkdir()
    flags = ["--preset", "tiny", "--device", "cpu", "--repeats", "1", "--n-layers", "1"]
    run(bench, *flags, monkeypatch=monkeypatch)
    figures = json.loads((tmp_path / "results" / "bench.json").read_text(encoding="utf-8"))
    assert figures["provenance"] == "measured"
    assert figures["figures"]["decode_tokens_per_s"] > 0
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")
    assert r"\begin{table}" in (tmp_path / "paper" / "measured.tex").read_text(encoding="utf-8")
