"""Takes are read from folders, and batches depend on the seed and the step alone."""

from dataclasses import replace

import pytest
import torch

from PACKAGE.clips import clip_shape
from PACKAGE.data import Corpus, prepare
from PACKAGE.eval import lip_sync, spectral_distance
from PACKAGE.samples import write_animation
from PACKAGE.sources import BUILT_IN, Film, fitted, samples_of
from PACKAGE.synthetic import caption
from PACKAGE.wav import write_wav


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(5, range(8))
    assert batch["video"].shape == (8, *clip_shape(config))
    assert batch["sound"].shape == (8, samples_of(config))
    again = Corpus(config).train_batch(5, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    halves = [corpus.train_batch(5, rows) for rows in (range(4), range(4, 8))]
    assert all(torch.equal(batch[n], torch.cat([half[n] for half in halves])) for n in batch)
    assert not torch.equal(batch["noise"], corpus.train_batch(6, range(8))["noise"])


def test_the_autoencoders_rest_after_their_steps(config, corpus):
    assert "posterior_noise" in corpus.train_batch(config.autoencoder_steps - 1, range(2))
    assert "posterior_noise" not in corpus.train_batch(config.autoencoder_steps, range(2))
    assert "posterior_noise" not in next(corpus.val_batches(2))


def test_mouths_open_as_loudly_as_it_sounds(config, corpus):
    batch = corpus.train_batch(0, range(8))
    assert lip_sync(batch["video"], batch["sound"]) > 0.5
    low, high = (
        torch.stack([take.read()[1] for take in corpus.train if take.text.endswith(word)][:4])
        for word in ("low", "high")
    )
    assert spectral_distance(low, high) > 2 * spectral_distance(low[:2], low[2:])


def test_every_caption_occurs():
    texts = {caption(number) for number in range(BUILT_IN)}
    assert {"a red face speaks low", "a blue face speaks high"} <= texts


def test_frames_are_spread_over_their_sound(config):
    sound = torch.arange(2.0 * samples_of(config))
    frames = torch.arange(4.0 * config.frames)[:, None, None, None].expand(-1, 3, 4, 4)
    film = Film("all of it", "", lambda: (frames, sound))
    batch = fitted(film, 0.0, config)
    assert torch.equal(batch["video"][:, 0, 0, 0], 2 * torch.arange(config.frames))
    assert torch.equal(batch["sound"], sound[: samples_of(config)])
    assert fitted(film, 0.5, config)["sound"][0] == samples_of(config) // 2
    short = Film("its beginning", "", lambda: (frames[:1], sound[:10]))
    batch = fitted(short, 0.3, config)
    assert len(batch["video"]) == config.frames and batch["sound"][10:].eq(0).all()


def test_folders_of_takes_are_read(config, tmp_path):
    folder = tmp_path / "takes"
    folder.mkdir()
    for i in range(6):
        write_animation(folder / f"{i}.gif", torch.rand(5, 3, 8, 8), 8)
        write_wav(folder / f"{i}.wav", torch.rand(4_000) - 0.5, 4_000)
        (folder / f"{i}.txt").write_text(f"noise {i}\n", encoding="utf-8")
    config = replace(config, data=str(folder), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert {take.text for take in corpus.train + corpus.val} == {f"noise {i}" for i in range(6)}
    batch = corpus.train_batch(0, range(3))
    assert batch["video"].shape == (3, *clip_shape(config))
    assert batch["sound"].shape == (3, samples_of(config)) and batch["sound"].abs().max() <= 1


def test_unusable_data_is_refused(config, tmp_path):
    (tmp_path / "empty").mkdir()
    for wrong in ("empty", "missing"):
        with pytest.raises(ValueError, match="--data"):
            prepare(replace(config, data=str(tmp_path / wrong)))
