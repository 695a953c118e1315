"""Pictures are read from the usual files, and batches depend on the seed and the step alone."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import draw_pictures

from PACKAGE.data import Corpus, prepare
from PACKAGE.distance import share_closer, sliced_distance
from PACKAGE.synthetic import CLASSES, COLOURS, draw, scene


@pytest.fixture
def pictures(tmp_path):
    """A folder of twelve pictures."""
    return draw_pictures(tmp_path / "pictures")


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(5, range(8))
    side = config.image_size
    assert batch["images"].shape == (8, config.channels, side, side)
    again, later = Corpus(config).train_batch(5, range(8)), corpus.train_batch(6, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert not torch.equal(batch["noise"], later["noise"])
    half = corpus.train_batch(5, range(4, 8))
    assert all(torch.equal(batch[name][4:], half[name]) for name in batch)


def test_held_out_batches_are_always_the_same(config, corpus):
    first, again = (next(corpus.val_batches(8, 8)) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert first["quantiles"].unique().numel() == 8
    assert "posterior_noise" not in first


def test_the_autoencoder_is_left_out_in_time(config, corpus):
    names = {step: set(corpus.train_batch(step, range(1))) for step in (0, 10**9)}
    if config.space == "latent":
        assert names[0] - names[10**9] == {"posterior_noise"}
    else:
        assert names[0] == names[10**9]


def test_the_built_in_pictures_show_their_class():
    assert len(set(CLASSES)) == len(CLASSES)
    for index in range(40):
        shown = scene(7, index)
        colour = np.array(COLOURS[shown.name.split()[0]])
        apart = abs(draw(shown, 32, 3).astype(int) - colour).max(axis=2)
        assert apart.min() <= 1 and apart.max() > 100


def rows_of(pictures, config):
    """What a table says of twelve pictures, as this model needs it."""
    for i in range(12):
        row = {"image": f"{i:02d}.png"}
        if config.condition == "text":
            row["caption"] = f"picture {i}"
        if config.condition == "class":
            row["label"] = ("cold", "warm")[i % 2]
        if config.image_condition == "picture":
            row["source"] = f"{(i + 1) % 12:02d}.png"
        yield row


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_tables_become_pictures(config, pictures, kind):
    table, rows = pictures / f"list.{kind}", list(rows_of(pictures, config))
    if kind == "csv":
        with open(table, "w", encoding="utf-8", newline="") as file:
            lines = csv.DictWriter(file, list(rows[0]))
            lines.writeheader()
            lines.writerows(rows)
    else:
        table.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for data in (table, pictures):
        config = replace(config, data=str(data), val_fraction=0.4)
        prepare(config)
        corpus = Corpus(config)
        assert len(corpus.train) + len(corpus.val) == 12
        assert corpus.train_batch(0, range(4))["images"].isfinite().all()


def test_folders_become_pictures(config, pictures):
    if config.image_condition == "picture":
        for name in ("sources", "targets"):
            (pictures / name).mkdir()
        for path in pictures.glob("*.png"):
            (pictures / "sources" / path.name).write_bytes(path.read_bytes())
            path.rename(pictures / "targets" / path.name)
    if config.condition == "text":
        for path in pictures.rglob("*.png"):
            path.with_suffix(".txt").write_text(f"number {path.stem}\n", encoding="utf-8")
    if config.condition == "class":
        for i, path in enumerate(sorted(pictures.glob("*.png"))):
            home = pictures / ("cold", "warm")[i % 2]
            home.mkdir(exist_ok=True)
            path.rename(home / path.name)
    config = replace(config, data=str(pictures), val_fraction=0.4)
    prepare(config)
    corpus = Corpus(config)
    assert len(corpus.train) + len(corpus.val) == 12


def test_unusable_data_is_refused(config, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path / "empty")))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path / "bad.csv")))
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data="nowhere"))


def test_distances_know_what_is_alike():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(64, 3, 8, 8, generator=generator)
    shuffled = pictures[torch.randperm(64, generator=generator)]
    assert sliced_distance(pictures, shuffled) == pytest.approx(0, abs=1e-5)
    assert sliced_distance(pictures, 1 - pictures / 2) > sliced_distance(pictures, pictures + 0.1)
    assert share_closer(pictures, pictures) == 1
    assert share_closer(shuffled, pictures) == pytest.approx(0.5, abs=0.1)
