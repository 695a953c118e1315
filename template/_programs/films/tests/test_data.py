"""Clips are read from folders, and batches depend on the seed and the step alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from PACKAGE.clips import clip_shape
from PACKAGE.data import Corpus, prepare
from PACKAGE.distance import sliced_distance
from PACKAGE.samples import write_animation
from PACKAGE.sources import BUILT_IN
from PACKAGE.synthetic import MOTIONS, caption


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(5, range(8))
    assert batch["video"].shape == (8, *clip_shape(config))
    assert -1 <= batch["video"].min() < batch["video"].max() <= 1
    again = Corpus(config).train_batch(5, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    halves = [corpus.train_batch(5, rows) for rows in (range(4), range(4, 8))]
    assert all(torch.equal(batch[n], torch.cat([half[n] for half in halves])) for n in batch)
    assert not torch.equal(batch["noise"], corpus.train_batch(6, range(8))["noise"])


def test_the_autoencoder_rests_after_its_steps(config, corpus):
    assert "posterior_noise" in corpus.train_batch(config.autoencoder_steps - 1, range(2))
    assert "posterior_noise" not in corpus.train_batch(config.autoencoder_steps, range(2))
    assert "posterior_noise" not in next(corpus.val_batches(2))


def test_clips_move_as_their_captions_say(config):
    films = Corpus(config).train
    ticks = torch.arange(config.image_size).float()
    for motion, (dx, dy) in MOTIONS.items():
        film = next(film for film in films if film.text.endswith(motion))
        clip = film.read()
        ground = clip[:, :, :1, :1]  # a corner, which no shape reaches
        shown = (clip - ground).abs().sum(dim=1)  # (Z, Y, X)
        weight = shown.sum(dim=(1, 2))
        x = (shown.sum(dim=1) * ticks).sum(dim=1) / weight
        y = (shown.sum(dim=2) * ticks).sum(dim=1) / weight
        moved = torch.stack((x[-1] - x[0], y[-1] - y[0])) / config.image_size
        if config.frames > 1:
            assert moved @ torch.tensor([float(dx), float(dy)]) > 0.2


def test_every_caption_occurs():
    texts = {caption(number) for number in range(BUILT_IN)}
    assert {"a red disc moves right", "a blue square moves up"} <= texts


def test_folders_of_clips_are_read(config, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for i in range(6):
        write_animation(folder / f"{i}.gif", torch.rand(5, 3, 8, 8), 8)
        (folder / f"{i}.txt").write_text(f"noise {i}\n", encoding="utf-8")
    np.save(folder / "6.npy", np.zeros((4, 9, 12, 3), np.uint8))
    (folder / "6.txt").write_text("darkness", encoding="utf-8")
    config = replace(config, data=str(folder), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert {"noise 0", "darkness"} <= {film.text for film in corpus.train + corpus.val}
    assert corpus.train_batch(0, range(3))["video"].shape == (3, *clip_shape(config))


def test_unusable_data_is_refused(config, tmp_path):
    (tmp_path / "empty").mkdir()
    for wrong in ("empty", "missing"):
        with pytest.raises(ValueError, match="--data"):
            prepare(replace(config, data=str(tmp_path / wrong)))


def test_distances_are_those_of_shifted_sets():
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(500, 4, generator=generator)
    assert sliced_distance(points, points) == 0
    shifted = sliced_distance(points, points + torch.tensor([2.0, 0, 0, 0]))
    assert shifted == pytest.approx(1.0, rel=0.2)  # 2 / sqrt(4) on average
