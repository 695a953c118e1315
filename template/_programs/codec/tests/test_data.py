"""Sounds come from files, and batches depend on the seed and the step alone."""

from dataclasses import replace

import pytest
import torch
from helpers import offer_dataset

from PACKAGE.data import Corpus, fit, mix, prepare
from PACKAGE.synthetic import synthesise
from PACKAGE.wav import read_channels, read_wav, write_spectrogram, write_wav


def test_built_in_sounds_are_seeded_and_loud_enough(config):
    for index in range(6):
        sound = synthesise(index, config)
        assert sound.shape == (config.audio_channels, config.clip_samples)
        assert torch.equal(sound, synthesise(index, config))
        assert 0.02 < sound.abs().max() <= 1 and torch.isfinite(sound).all()
    assert not torch.equal(sound, synthesise(index, replace(config, seed=config.seed + 1)))


def test_a_batch_depends_on_seed_and_step_alone(config):
    corpus = Corpus(config)
    batch = corpus.train_batch(5, range(8))["waveform"]
    assert torch.equal(batch, Corpus(config).train_batch(5, range(8))["waveform"])
    assert not torch.equal(batch, corpus.train_batch(6, range(8))["waveform"])
    halves = [corpus.train_batch(5, rows)["waveform"] for rows in (range(4), range(4, 8))]
    assert torch.equal(batch, torch.cat(halves))


def test_channels_survive_a_file(config, tmp_path):
    sound = torch.rand(2, 700) - 0.5
    write_wav(tmp_path / "both.wav", sound, 8000)
    torch.testing.assert_close(
        read_channels(tmp_path / "both.wav", 8000).float(), sound, atol=1e-4, rtol=0
    )
    mono = read_wav(tmp_path / "both.wav", 8000).float()
    torch.testing.assert_close(mono, sound.mean(dim=0), atol=1e-4, rtol=0)


def test_folders_and_files_are_read(config, tmp_path):
    (tmp_path / "sounds" / "deep").mkdir(parents=True)
    for i, name in enumerate(("a.wav", "deep/b.WAV", "deep/c.wav")):
        write_wav(tmp_path / "sounds" / name, torch.rand(900 * (i + 1)) - 0.5, 8000)
    write_wav(tmp_path / "long.wav", torch.rand(9000) - 0.5, 8000)
    shape = (2, config.audio_channels, config.clip_samples)
    for where in ("sounds", "long.wav"):
        told = replace(config, data=str(tmp_path / where), val_fraction=0.3, sample_rate=8000)
        prepare(told)
        corpus = Corpus(told)
        assert corpus.train_batch(0, range(2))["waveform"].shape == shape
        assert next(corpus.val_batches(1))["waveform"].shape[1:] == shape[1:]


def test_what_is_no_sound_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match="no WAV file"):
        prepare(replace(config, data=str(tmp_path)))
    (tmp_path / "a.wav").write_bytes(b"RIFF, more or less")
    with pytest.raises(ValueError, match="not a PCM WAV"):
        prepare(replace(config, data=str(tmp_path / "a.wav")))
    with pytest.raises(ValueError, match="datasets"):
        prepare(replace(config, data="nobody/nothing"))


def test_clips_are_cut_padded_and_mixed(config):
    config = replace(config, clip_samples=1000)
    long = torch.arange(1500.0).expand(config.audio_channels, -1)
    assert fit(long, 1.0, config)[0, 0] == 500
    assert fit(long[:, :10], 0.0, config)[0, 10:].abs().max() == 0
    assert mix(torch.rand(config.audio_channels + 1, 9), config).shape[0] == config.audio_channels


def test_a_dataset_by_name_is_read(config, monkeypatch):
    cells = [{"audio": {"array": [0.1, -0.1] * 2000, "sampling_rate": 4000}}] * 3
    offer_dataset(monkeypatch, cells)
    batch = Corpus(replace(config, data="someone/sounds")).train_batch(0, range(2))
    assert batch["waveform"].shape == (2, config.audio_channels, config.clip_samples)


def test_pictures_of_sound_are_png(tmp_path):
    write_spectrogram(tmp_path / "a.png", torch.rand(8, 5))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
