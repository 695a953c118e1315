"""Every program leaves its artifact, with or without a trained model."""

import json
import sys

import pytest
from PIL import Image

from PACKAGE import Config, bench, infer, report
from PACKAGE import eval as evaluation
from PACKAGE.wav import read_wav


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def test_streams_are_made_before_any_training(config, tmp_path, monkeypatch, capsys):
    flags = ("--device", "cpu", "--text", "a red face speaks low", "--steps", "2", "--chunks", "2")
    run(infer, *flags, monkeypatch=monkeypatch)
    assert "untrained" in capsys.readouterr().out
    folder, tiny = tmp_path / "results" / "streams", Config.tiny()
    with Image.open(folder / "00.gif") as animation:
        assert animation.n_frames > 1
    sound = read_wav(folder / "00.wav", tiny.sample_rate)
    assert len(sound) == 2 * tiny.chunk_codes * tiny.code_samples
    with Image.open(tmp_path / "results" / "streams.png") as page:
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
