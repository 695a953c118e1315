"""Sounds survive files and resampling, and batches depend on the seed and the step alone."""

import csv
import math
import wave
from dataclasses import replace

import pytest
import torch
from helpers import LabelledRows, offer_dataset

from PACKAGE.clips import clip_shape
from PACKAGE.data import Corpus, prepare
from PACKAGE.wav import read_wav, resample, write_spectrogram, write_wav


def tone(samples=4000, rate=8000, pitch=440.0):
    return 0.5 * torch.sin(2 * math.pi * pitch * torch.arange(samples) / rate)


@pytest.fixture
def folder(tmp_path):
    """Two classes with three files each."""
    for i, name in enumerate(("high", "low")):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for take in range(3):
            sound = tone(3000 + 500 * take, pitch=900.0 / (1 + i))
            write_wav(tmp_path / "sounds" / name / f"{take}.wav", sound, 8000)
    return tmp_path / "sounds"


def test_a_file_holds_what_was_written(tmp_path):
    write_wav(tmp_path / "tone.wav", tone(), 8000)
    torch.testing.assert_close(read_wav(tmp_path / "tone.wav", 8000), tone(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_pcm_width_is_read(tmp_path, width):
    top = 2 ** (8 * width - 1)
    values = [0, top // 2, -top // 2, top - 1]
    offset = 128 if width == 1 else 0
    data = b"".join((v + offset).to_bytes(width, "little", signed=width > 1) for v in values)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, width, 8000, 0, "NONE", ""))
        file.writeframes(data)
    wanted = torch.tensor(values) / top
    torch.testing.assert_close(read_wav(tmp_path / "a.wav", 8000).float(), wanted.float())


def test_resampling_keeps_a_tone(tmp_path):
    wanted = tone(8000, 16000)
    error = (resample(tone(4000, 8000), 8000, 16000) - wanted)[500:-500]
    assert error.abs().max() < 0.05


def test_what_is_no_sound_is_refused(config, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF, more or less")
    with pytest.raises(ValueError, match="not a PCM WAV"):
        read_wav(tmp_path / "a.wav", 8000)
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path)))


def test_folders_are_classes(config, folder):
    config = replace(config, data=str(folder), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert corpus.names == ["high", "low"]
    assert (len(corpus.train), len(corpus.val)) == (4, 2)
    batch = corpus.train_batch(0, range(4))
    assert batch["waveform"].shape == (4, *clip_shape(config))
    assert batch["labels"].shape == (4,)


def test_a_table_names_files_and_labels(config, folder):
    with open(folder / "all.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerows([("path", "label"), ("low/0.wav", "rumble"), ("high/1.wav", "squeak")])
    corpus = Corpus(replace(config, data=str(folder / "all.csv")))
    assert corpus.names == ["rumble", "squeak"]
    (folder / "bad.csv").write_text("file,class\na,b\n", encoding="utf-8")
    with pytest.raises(ValueError, match="path and label"):
        prepare(replace(config, data=str(folder / "bad.csv")))


def test_a_batch_depends_on_seed_and_step_alone(config):
    corpus = Corpus(config)
    batch = corpus.train_batch(5, range(8))["waveform"]
    assert torch.equal(batch, Corpus(config).train_batch(5, range(8))["waveform"])
    assert not torch.equal(batch, corpus.train_batch(6, range(8))["waveform"])
    halves = [corpus.train_batch(5, rows)["waveform"] for rows in (range(4), range(4, 8))]
    assert torch.equal(batch, torch.cat(halves))
    other = Corpus(replace(config, seed=config.seed + 1)).train_batch(5, range(8))["waveform"]
    assert not torch.equal(batch, other)


def test_pictures_of_sound_are_png(tmp_path):
    write_spectrogram(tmp_path / "a.png", torch.rand(8, 5))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_dataset_by_name_is_read(config, monkeypatch):
    cells = [{"audio": {"array": tone().tolist(), "sampling_rate": 4000}}] * 2
    offer_dataset(monkeypatch, LabelledRows(cells))
    corpus = Corpus(replace(config, data="someone/clips"))
    assert corpus.names == ["a", "b"]
    assert {clip.label for clip in (*corpus.train, *corpus.val)} == {0, 1}
    assert corpus.train_batch(0, range(2))["waveform"].shape == (2, *clip_shape(config))
