"""Every program leaves its artifact, with or without a trained model."""

import pytest
from helpers import rows_of

from PACKAGE import infer
from PACKAGE.wav import read_wav


def test_sounds_are_made_before_any_training(config, run, tmp_path, capsys):
    flags = ["--device", "cpu", "--count", "2", "--steps", "2", "--sampler", "heun"]
    run(infer, *flags)
    assert "untrained" in capsys.readouterr().out
    results = tmp_path / "results"
    rows = rows_of(results / "samples.csv")
    assert [row["file"] for row in rows] == ["sample-1.wav", "sample-2.wav"]
    sound = read_wav(results / "sample-2.wav", config.sample_rate)
    assert len(sound) / config.sample_rate == pytest.approx(float(rows[1]["seconds"]), abs=0.01)
    assert (results / "sample-1.png").read_bytes().startswith(b"\x89PNG")


def test_own_wishes_are_heard(config, run, tmp_path):
    flags = []
    if config.continued:
        import torch

        from PACKAGE.wav import write_wav

        write_wav(tmp_path / "a.wav", 0.3 * torch.sin(torch.arange(5000) / 3), 4000)
        flags += ["--opening", str(tmp_path / "a.wav")]
    if config.conditioned:
        flags += ["--prompt", "a high sine tone, slow"]
    more = ["--seed", "3", "--guidance", "1", "--steps", "2"]
    run(infer, "--device", "cpu", *more, *flags)
    (row,) = rows_of(tmp_path / "results" / "samples.csv")
    assert row["text"] == flags[-1]


def test_steps_that_cannot_be_taken_are_refused(config, run, capsys):
    with pytest.raises(SystemExit) as stop:
        run(infer, "--device", "cpu", "--steps", "100000")
    assert stop.value.code == 2
    assert "--steps" in capsys.readouterr().err
