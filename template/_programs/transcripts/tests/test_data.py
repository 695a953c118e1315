"""Sounds survive their files, and batches depend on the seed and the step alone."""

import json
from dataclasses import replace

import pytest
import torch

from PACKAGE.data import Corpus, clips_of, heard_samples, prepare, window
from PACKAGE.wav import read_wav, resample, write_wav


@pytest.fixture
def folder(tmp_path, config):
    """A folder of 30 one-second tones, listed in a CSV and a JSONL file."""
    home = tmp_path / "sounds"
    home.mkdir()
    t = torch.arange(config.sample_rate) / config.sample_rate
    rows = []
    for i in range(30):
        tone = 0.5 * torch.sin(2 * torch.pi * (200 + 10 * i) * t)
        write_wav(home / f"{i}.wav", tone, config.sample_rate)
        rows.append({"path": f"{i}.wav", "text": f"tone {i}"})
    lines = [f"{row['path']},{row['text']}" for row in rows[:20]]
    (home / "a.csv").write_text("\n".join(["path,text", *lines]) + "\n", encoding="utf-8")
    text = "\n".join(map(json.dumps, rows[20:])) + "\n"
    (home / "b.jsonl").write_text(text, encoding="utf-8")
    return home


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(5, range(8))
    again = Corpus(config).train_batch(5, range(8))
    assert batch["source"].shape == (8, heard_samples(config))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert not torch.equal(batch["source"], corpus.train_batch(6, range(8))["source"])
    halves = [corpus.train_batch(5, rows)["source"] for rows in (range(4), range(4, 8))]
    assert torch.equal(batch["source"], torch.cat(halves))


def test_no_held_out_text_was_trained_on(corpus):
    assert not {clip.text for clip in corpus.train} & {clip.text for clip in corpus.val}


def test_files_become_a_corpus(config, folder):
    config = replace(config, data=str(folder), val_fraction=0.3)
    assert [clip.text for clip in clips_of(config)] == [f"tone {i}" for i in range(30)]
    prepare(config)
    batch = Corpus(config).train_batch(0, range(2))
    assert batch["source"].abs().amax() == pytest.approx(0.5, abs=0.01)
    listed = replace(config, data=str(folder / "a.csv"))
    assert len(list(clips_of(listed))) == 20


def test_unusable_data_is_refused(config, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path / "empty")))
    (folder / "3.wav").unlink()
    with pytest.raises(ValueError, match="record 4"):
        prepare(replace(config, data=str(folder)))
    (folder / "a.csv").write_text("file,words\nx,y\n", encoding="utf-8")
    with pytest.raises(ValueError, match="path"):
        prepare(replace(config, data=str(folder)))


def test_sounds_are_resampled_and_fill_the_window(config, folder):
    sound = read_wav(folder / "0.wav", config.sample_rate)
    assert len(resample(sound, config.sample_rate, config.sample_rate // 2)) == len(sound) // 2
    assert len(window(sound[:100], config)) == len(window(sound, config)) == heard_samples(config)
