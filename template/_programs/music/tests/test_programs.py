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


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_sounds_are_drawn_before_any_training(config, tmp_path, monkeypatch, capsys):
    run(infer, "--device", "cpu", "--count", "2", monkeypatch=monkeypatch)
    assert "untrained" in capsys.readouterr().out
    results = tmp_path / "results"
    rows = rows_of(results / "samples.csv")
    assert [row["file"] for row in rows] == ["sample-1.wav", "sample-2.wav"]
    sound = read_wav(results / "sample-2.wav", config.sample_rate)
    assert len(sound) / config.sample_rate == pytest.approx(float(rows[1]["seconds"]), abs=0.01)
    assert (results / "sample-1.png").read_bytes().startswith(b"\x89PNG")


def test_own_wishes_are_heard(config, tmp_path, monkeypatch):
    write_wav(tmp_path / "a.wav", 0.3 * torch.sin(torch.arange(5000) / 3), 4000)
    if config.melodic:
        flags = ["--text", "a high sine tone, slow", "--melody", str(tmp_path / "a.wav")]
    elif config.conditioned:
        flags = ["--text", "a high sine tone, slow", "--guidance", "1"]
    else:
        flags = ["--opening", str(tmp_path / "a.wav"), "--known", "0.5"]
    run(infer, "--device", "cpu", "--seed", "3", *flags, monkeypatch=monkeypatch)
    (row,) = rows_of(tmp_path / "results" / "samples.csv")
    assert row["text"] == flags[1]


def test_evaluation_asks_for_a_run(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(evaluation, monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "train first" in capsys.readouterr().err


def test_benchmarks_become_a_report(config, tmp_path, monkeypatch):
    flags = ["--preset", "tiny", "--device", "cpu", "--repeats", "1", "--frames", "8"]
    run(bench, *flags, monkeypatch=monkeypatch)
    figures = json.loads((tmp_path / "results" / "bench.json").read_text(encoding="utf-8"))
    assert figures["provenance"] == "measured"
    assert figures["figures"]["samples_per_s"] > 0
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")
