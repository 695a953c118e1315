"""Clips are read from pictures, GIFs and arrays; batches depend on the seed and the step alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import LabelledRows, offer_dataset
from PIL import Image

from PACKAGE.clips import clip_paths, clip_shape, fit_clip, read_clip, write_gif
from PACKAGE.data import Corpus, prepare


@pytest.fixture
def folder(tmp_path):
    """Two classes with two clips each: folders of pictures, an array and an animation."""
    root = tmp_path / "clips"
    for name, value in (("bright", 220), ("dark", 30)):
        frames = np.full((6, 40, 30, 3), value, np.uint8)
        (root / name / "pictures").mkdir(parents=True)
        for i, frame in enumerate(frames):
            Image.fromarray(frame).save(root / name / "pictures" / f"{i:03}.png")
        np.save(root / name / "array.npy", frames)
    return root


def test_every_kind_of_clip_is_read(config, folder, tmp_path):
    paths = clip_paths(folder)
    assert [p.name for p in paths] == ["array.npy", "pictures"] * 2
    write_gif(tmp_path / "a.gif", torch.rand(5, 3, 8, 8), "a")
    for path in (*paths, tmp_path / "a.gif"):
        clip = read_clip(path, config)
        assert clip.shape[1:] == clip_shape(config)[1:]
        assert -1.001 <= clip.min() and clip.max() <= 1.001
    assert read_clip(paths[0], config).mean() > 0.5 > read_clip(paths[2], config).mean()


def test_frames_are_spread_over_a_clip(config):
    frames = config.frames
    video = torch.arange(3.0 * frames)[:, None, None, None].expand(-1, *clip_shape(config)[1:])
    moments = fit_clip(video, 0.0, config)[:, 0, 0, 0]
    assert torch.equal(moments, 3.0 * torch.arange(frames))
    assert fit_clip(video[:1], 0.9, config).shape == clip_shape(config)


def test_folders_are_classes(config, folder):
    config = replace(config, data=str(folder), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert corpus.names == ["bright", "dark"]
    batch = corpus.train_batch(0, range(2))
    assert batch["video"].shape == (2, *clip_shape(config))
    bright = batch["video"].mean(dim=(1, 2, 3, 4)) > 0
    assert torch.equal(bright, batch["labels"] == 0)


def test_unusable_data_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path)))
    np.save(tmp_path / "flat.npy", np.zeros((3, 4)))
    with pytest.raises(ValueError, match="not a clip"):
        read_clip(tmp_path / "flat.npy", config)


def test_a_batch_depends_on_seed_and_step_alone(config):
    corpus = Corpus(config)
    batch = corpus.train_batch(5, range(8))["video"]
    assert torch.equal(batch, Corpus(config).train_batch(5, range(8))["video"])
    assert not torch.equal(batch, corpus.train_batch(6, range(8))["video"])
    halves = [corpus.train_batch(5, rows)["video"] for rows in (range(4), range(4, 8))]
    assert torch.equal(batch, torch.cat(halves))
    other = Corpus(replace(config, seed=config.seed + 1)).train_batch(5, range(8))["video"]
    assert not torch.equal(batch, other)


def test_a_dataset_by_name_is_read(config, monkeypatch):
    cells = [{"video": torch.zeros(12, 3, 20, 30, dtype=torch.uint8)}] * 2
    offer_dataset(monkeypatch, LabelledRows(cells))
    corpus = Corpus(replace(config, data="someone/clips"))
    assert corpus.names == ["a", "b"]
    assert {clip.label for clip in (*corpus.train, *corpus.val)} == {0, 1}
    assert corpus.train_batch(0, range(2))["video"].shape == (2, *clip_shape(config))
