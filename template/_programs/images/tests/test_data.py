"""Pictures of every source arrive alike, and batches depend on the seed and the step alone."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image

from PACKAGE.data import Corpus, augment, class_names, prepare
from PACKAGE.pictures import contact_sheet, read_picture, to_picture, to_tensor
from PACKAGE.synthetic import CLASSES, synthetic_picture


@pytest.fixture
def folder(tmp_path):
    """Twenty red and twenty blue pictures of many sizes, in folders named after them."""
    for name, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(20):
            picture = Image.new("RGB", (40 + i, 60 - i), colour)
            picture.save(tmp_path / "pictures" / name / f"{i}.{'png' if i % 2 else 'jpg'}")
    return tmp_path / "pictures"


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(5, range(8))
    side = config.image_size
    assert batch["images"].shape == (8, config.channels, side, side)
    assert batch["images"].abs().max() <= 1 and batch["labels"].max() < config.num_classes
    again = Corpus(config).train_batch(5, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert not torch.equal(batch["images"], corpus.train_batch(6, range(8))["images"])
    halves = [corpus.train_batch(5, rows)["images"] for rows in (range(4), range(4, 8))]
    assert torch.equal(batch["images"], torch.cat(halves))


def test_no_picture_is_both_trained_on_and_held_out(corpus):
    assert set(corpus.train).isdisjoint(corpus.val)
    assert len(corpus.train) + len(corpus.val) == len(corpus.pictures)
    held_out = list(corpus.val_batches(4, limit=6))
    assert [len(batch["labels"]) for batch in held_out] == [4, 2]


def test_the_seed_decides_the_pictures():
    (first, _), (second, _) = (synthetic_picture(seed, 0, 32, 3, 10) for seed in (0, 1))
    assert not np.array_equal(first, second)
    labels = [synthetic_picture(0, i, 16, 1, 4)[1] for i in range(60)]
    assert set(labels) == {0, 1, 2, 3}


def test_folders_name_the_classes(config, folder):
    config = replace(config, data=str(folder), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert corpus.names == class_names(config)[:2] == ["blue", "red"]
    for batch in corpus.val_batches(64):
        if config.channels == 3:  # red pictures are red
            assert torch.equal(batch["images"][:, 0].mean((1, 2)) > 0, batch["labels"] == 1)


def test_a_table_lists_pictures(config, folder):
    rows = ["path,label", *(f"pictures/red/{i}.png,warm" for i in (1, 3, 5))]
    rows += [f"pictures/blue/{i}.png,cold" for i in (1, 3, 5)]
    table = folder.parent / "table.csv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    config = replace(config, data=str(table), val_fraction=0.5)
    prepare(config)
    assert Corpus(config).names == ["cold", "warm"]


def test_unusable_data_is_refused(config, tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path / "empty")))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="path and label"):
        prepare(replace(config, data=str(tmp_path / "bad.csv")))
    for i in range(config.num_classes):
        (folder / f"more {i}").mkdir()
        Image.new("RGB", (8, 8)).save(folder / f"more {i}" / "a.png")
    with pytest.raises(ValueError, match="--num-classes"):
        prepare(replace(config, data=str(folder)))


def test_pictures_are_cut_scaled_and_shown_again(tmp_path):
    Image.new("RGB", (50, 30), (255, 0, 0)).save(tmp_path / "a.png")
    pixels = read_picture(tmp_path / "a.png", 16, 3)
    assert pixels.shape == (16, 16, 3) and (pixels == (255, 0, 0)).all()
    assert read_picture(tmp_path / "a.png", 16, 1).shape == (16, 16, 1)
    shown = to_picture(to_tensor([pixels])[0])
    assert np.array_equal(np.asarray(shown), pixels)
    sheet = contact_sheet([shown] * 7, ["a caption far too long for its picture"] * 7, columns=3)
    assert sheet.width > 3 * 128 and sheet.height > 3 * 128


def test_augmentation_moves_and_mirrors():
    image = torch.arange(3 * 32 * 32).view(3, 32, 32).float()
    seen = {tuple(augment(image, Random(i)).flatten().tolist()) for i in range(20)}
    assert len(seen) > 10
    assert len(CLASSES) == len(set(CLASSES))
