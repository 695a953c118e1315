"""Every program leaves its artifact, with or without a trained model."""

import numpy as np
import pytest
import torch

from PACKAGE import infer
from PACKAGE.measures import signal_to_noise, spectral_distance
from PACKAGE.wav import read_channels, write_wav


def test_restoring_works_before_any_training(config, run, tmp_path):
    run(infer, "--device", "cpu", "--limit", "2")
    results = tmp_path / "results"
    original, restored = (
        read_channels(results / f"{name}.wav", config.sample_rate)
        for name in ("original", "restored")
    )
    assert original.shape == restored.shape and len(original) == config.audio_channels
    codes = np.load(results / "codes.npy")
    assert codes.shape[0] == config.n_codebooks and codes.max() < config.codebook_size
    assert (results / "spectrogram.png").read_bytes().startswith(b"\x89PNG")


def test_own_sounds_are_restored(config, run, tmp_path):
    write_wav(tmp_path / "noise.wav", torch.rand(5000) - 0.5, config.sample_rate)
    flags = ("--device", "cpu", "--input", str(tmp_path / "noise.wav"), "--seconds", "0.3")
    run(infer, *flags)
    heard = read_channels(tmp_path / "results" / "original.wav", config.sample_rate)
    assert heard.size(-1) == min(5000, int(0.3 * config.sample_rate))


def test_a_missing_file_is_named(config, run, capsys):
    with pytest.raises(SystemExit) as stop:
        run(infer, "--device", "cpu", "--input", "nothing.wav")
    assert stop.value.code == 2
    assert "nothing.wav" in capsys.readouterr().err


def test_measures_of_what_is_known():
    sound = torch.sin(torch.arange(4000) / 5)[None, None]
    assert spectral_distance(sound, sound).item() == 0
    assert signal_to_noise(sound, sound).item() > 60
    assert signal_to_noise(torch.zeros_like(sound), sound).item() == pytest.approx(0, abs=1e-3)
    assert signal_to_noise(0.9 * sound, sound).item() == pytest.approx(20, abs=1e-2)
    assert spectral_distance(0.5 * sound, sound).item() < 6.1  # 20 log10 of two, where it sounds
