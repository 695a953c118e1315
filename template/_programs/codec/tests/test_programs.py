"""Every program leaves its artifact, with or without a trained model."""

import json
import sys

import numpy as np
import pytest
import torch

from PACKAGE import bench, infer, report
from PACKAGE import eval as evaluation
from PACKAGE.measures import signal_to_noise, spectral_distance
from PACKAGE.wav import read_channels, write_wav


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def test_restoring_works_before_any_training(config, tmp_path, monkeypatch):
    run(infer, "--device", "cpu", "--limit", "2", monkeypatch=monkeypatch)
    results = tmp_path / "results"
    original, restored = (
        read_channels(results / f"{name}.wav", config.sample_rate)
        for name in ("original", "restored")
    )
    assert original.shape == restored.shape and len(original) == config.audio_channels
    codes = np.load(results / "codes.npy")
    assert codes.shape[0] == config.n_codebooks and codes.max() < config.codebook_size
    assert (results / "spectrogram.png").read_bytes().startswith(b"\x89PNG")


def test_own_sounds_are_restored(config, tmp_path, monkeypatch):
    write_wav(tmp_path / "noise.wav", torch.rand(5000) - 0.5, config.sample_rate)
    flags = ("--device", "cpu", "--input", str(tmp_path / "noise.wav"), "--seconds", "0.3")
    run(infer, *flags, monkeypatch=monkeypatch)
    heard = read_channels(tmp_path / "results" / "original.wav", config.sample_rate)
    assert heard.size(-1) == min(5000, int(0.3 * config.sample_rate))


def test_a_missing_file_is_named(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(infer, "--device", "cpu", "--input", "nothing.wav", monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "nothing.wav" in capsys.readouterr().err


def test_evaluation_asks_for_a_run(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(evaluation, monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "train first" in capsys.readouterr().err


def test_benchmarks_become_a_report(config, tmp_path, monkeypatch):
    run(bench, "--preset", "tiny", "--device", "cpu", "--repeats", "1", monkeypatch=monkeypatch)
    figures = json.loads((tmp_path / "results" / "bench.json").read_text(encoding="utf-8"))
    assert figures["provenance"] == "measured"
    assert figures["figures"]["samples_per_s"] > 0
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")


def test_measures_of_what_is_known():
    sound = torch.sin(torch.arange(4000) / 5)[None, None]
    assert spectral_distance(sound, sound).item() == 0
    assert signal_to_noise(sound, sound).item() > 60
    assert signal_to_noise(torch.zeros_like(sound), sound).item() == pytest.approx(0, abs=1e-3)
    assert signal_to_noise(0.9 * sound, sound).item() == pytest.approx(20, abs=1e-2)
    assert spectral_distance(0.5 * sound, sound).item() < 6.1  # 20 log10 of two, where it sounds
