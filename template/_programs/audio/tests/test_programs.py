"""Every program leaves its artifact, with or without a trained model."""

import torch
from helpers import rows_of

from PACKAGE import infer
from PACKAGE.wav import read_wav, write_wav


def test_naming_works_before_any_training(config, run, tmp_path):
    run(infer, "--device", "cpu", "--limit", "3")
    results = tmp_path / "results"
    rows = rows_of(results / "predictions.csv")
    assert len(rows) == 3 and {"clip", "predicted", "probability", "label"} == rows[0].keys()
    assert len(read_wav(results / "heard.wav", config.sample_rate))
    assert (results / "spectrogram.png").exists()


def test_own_sounds_are_named(config, run, tmp_path):
    write_wav(tmp_path / "noise.wav", torch.rand(5000) - 0.5, 8000)
    flags = ("--device", "cpu", "--input", str(tmp_path / "noise.wav"))
    run(infer, *flags)
    assert "noise.wav" in (tmp_path / "results" / "predictions.csv").read_text(encoding="utf-8")
