"""Shapes are read from folders, and batches depend on the seed and the step alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from PACKAGE.data import Corpus, prepare
from PACKAGE.meshes import places, surface_of, write_obj
from PACKAGE.model import shape_size
from PACKAGE.synthetic import KINDS, PROPORTIONS, Shape, shape


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(5, range(8))
    assert batch["shapes"].shape == (8, *shape_size(config)) == batch["noise"].shape
    again = Corpus(config).train_batch(5, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    halves = [corpus.train_batch(5, rows) for rows in (range(4), range(4, 8))]
    assert all(torch.equal(batch[n], torch.cat([half[n] for half in halves])) for n in batch)
    assert not torch.equal(batch["noise"], corpus.train_batch(6, range(8))["noise"])


def test_held_out_shapes_are_always_alike(config, corpus):
    first, again = (next(corpus.val_batches(4)) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    if config.conditioned:
        assert not first["dropped"].any()
    assert {source.name for source in corpus.val}.isdisjoint(s.name for s in corpus.train)


def test_words_decide_proportions():
    made = [shape(3, number) for number in range(96)]
    assert {s.text for s in made} == {f"a {w} {k}" for w in PROPORTIONS for k in KINDS}
    for s in made:
        if s.words == "tall thin":
            assert s.height > 1.5 * s.width
        elif s.words == "flat wide":
            assert s.width > 1.5 * s.height
    assert shape(3, 7) == shape(3, 7) != shape(4, 7)
    assert {shape(0, number, 2).kind for number in range(9)} == set(KINDS[:2])


def test_folders_of_meshes_are_read(config, tmp_path):
    folder = tmp_path / "things"
    for number in range(6):
        made = Shape(KINDS[number % 2], "flat wide", 0.7, 0.3)
        path = folder / made.kind / f"{number}.obj"
        path.parent.mkdir(parents=True, exist_ok=True)
        mesh = surface_of(made.distances(places(8)))
        write_obj(path, (mesh[0] * 10 + 3, mesh[1]))
        path.with_suffix(".txt").write_text(f"{made.text}\n", encoding="utf-8")
    config = replace(config, data=str(folder), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert {source.text for source in corpus.train + corpus.val} == {
        "a flat wide ball",
        "a flat wide box",
    }
    batch = corpus.train_batch(0, range(3))
    assert batch["shapes"].shape == (3, *shape_size(config))
    again = Corpus(config).train_batch(0, range(3))
    assert torch.equal(batch["shapes"], again["shapes"])


def test_points_have_a_surface_but_no_inside(config, tmp_path):
    folder = tmp_path / "scans"
    (folder / "ball").mkdir(parents=True)
    points = Shape("ball", "big", 0.7, 0.7).surface(300, np.random.default_rng(0))
    for number in range(4):
        path = folder / "ball" / f"{number}.xyz"
        np.savetxt(path, points * 5)
        path.with_suffix(".txt").write_text("a big ball", encoding="utf-8")
    config = replace(config, data=str(folder))
    prepare(config)
    corpus = Corpus(config)
    if config.representation == "points":
        assert corpus.train_batch(0, range(2))["shapes"].shape == (2, config.num_points, 3)
    else:
        with pytest.raises(ValueError, match="OBJ"):
            corpus.train_batch(0, range(2))


def test_unusable_data_is_refused(config, tmp_path):
    (tmp_path / "empty").mkdir()
    for wrong in ("empty", "missing"):
        with pytest.raises(ValueError, match="--data"):
            prepare(replace(config, data=str(tmp_path / wrong)))
