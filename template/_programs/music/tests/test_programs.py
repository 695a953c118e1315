"""Every program leaves its artifact, with or without a trained model."""

import pytest
import torch
from helpers import rows_of

from PACKAGE import infer
from PACKAGE.wav import read_wav, write_wav


def test_sounds_are_drawn_before_any_training(config, run, tmp_path, capsys):
    run(infer, "--device", "cpu", "--count", "2")
    assert "untrained" in capsys.readouterr().out
    results = tmp_path / "results"
    rows = rows_of(results / "samples.csv")
    assert [row["file"] for row in rows] == ["sample-1.wav", "sample-2.wav"]
    sound = read_wav(results / "sample-2.wav", config.sample_rate)
    assert len(sound) / config.sample_rate == pytest.approx(float(rows[1]["seconds"]), abs=0.01)
    assert (results / "sample-1.png").read_bytes().startswith(b"\x89PNG")


def test_own_wishes_are_heard(config, run, tmp_path):
    write_wav(tmp_path / "a.wav", 0.3 * torch.sin(torch.arange(5000) / 3), 4000)
    if config.melodic:
        flags = ["--text", "a high sine tone, slow", "--melody", str(tmp_path / "a.wav")]
    elif config.conditioned:
        flags = ["--text", "a high sine tone, slow", "--guidance", "1"]
    else:
        flags = ["--opening", str(tmp_path / "a.wav"), "--known", "0.5"]
    run(infer, "--device", "cpu", "--seed", "3", *flags)
    (row,) = rows_of(tmp_path / "results" / "samples.csv")
    assert row["text"] == flags[1]
