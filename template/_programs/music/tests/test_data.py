"""Sounds are read from the usual files, and batches depend on the seed and the step alone."""

import csv
import json
from dataclasses import replace
from math import prod
from random import Random

import pytest
import torch

from PACKAGE.data import Corpus, clip_samples, prepare
from PACKAGE.synthetic import prompt, synthesise
from PACKAGE.wav import write_wav


@pytest.fixture
def folder(tmp_path):
    """A folder of ten sounds."""
    found = tmp_path / "sounds"
    found.mkdir()
    for i in range(10):
        write_wav(found / f"{i}.wav", 0.3 * torch.sin(torch.arange(6000 + i) / (5 + i)), 4000)
    return found


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(3, range(8))
    assert batch["waveform"].shape == (8, 1, clip_samples(config))
    again = Corpus(config).train_batch(3, range(8))
    assert batch.keys() == again.keys()
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert not torch.equal(batch["waveform"], corpus.train_batch(4, range(8))["waveform"])
    halves = [corpus.train_batch(3, rows)["waveform"] for rows in (range(4), range(4, 8))]
    assert torch.equal(batch["waveform"], torch.cat(halves))
    assert batch["waveform"].abs().max() <= 1


def test_the_codec_is_left_alone_after_its_share(config, corpus):
    last = int(config.codec_share * config.steps)
    if config.diffused:
        name = "posterior_noise"
    else:
        name = "train_codec"
    assert name in corpus.train_batch(last - 1, range(1))
    assert name not in corpus.train_batch(last, range(1))
    assert name not in next(corpus.val_batches(2))


def test_words_decide_the_sound(config):
    samples = config.frames * prod(config.ratios)
    said = {prompt(config.seed, index) for index in range(40)}
    assert len(said) > 20
    sounds = [synthesise(text, samples, config, Random("take")) for text in sorted(said)]
    assert all(s.shape == (samples,) and s.abs().max() <= 1 for s in sounds)
    assert all(not torch.allclose(a, b) for a, b in zip(sounds, sounds[1:], strict=False))


def test_tables_become_clips(config, folder):
    with open(folder / "captions.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file_name", "caption"))
        rows.writerows((f"{i}.wav", f"sound {i}") for i in range(5))
    lines = [json.dumps({"audio": f"{i}.wav", "text": f"line {i}"}) for i in range(5, 10)]
    (folder / "more.jsonl").write_text("\n".join(lines), encoding="utf-8")
    config = replace(config, data=str(folder), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert {c["text"] for c in corpus.train + corpus.val} >= {"sound 0", "line 9"}
    assert len(corpus.val) == 3
    assert corpus.train_batch(0, range(4))["waveform"].isfinite().all()


def test_files_with_texts_beside_them_become_clips(config, folder):
    (folder / "3.txt").write_text("the third\n", encoding="utf-8")
    config = replace(config, data=str(folder), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert sorted(c["text"] for c in corpus.train + corpus.val) == [""] * 9 + ["the third"]


def test_unusable_data_is_refused(config, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path / "empty")))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path / "bad.csv")))
