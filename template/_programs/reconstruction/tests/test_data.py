"""Pictures of every source arrive alike, and batches depend on the seed and the step alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from PACKAGE.data import Corpus, prepare
from PACKAGE.pictures import contact_sheet, read_picture, to_picture, to_tensor
from PACKAGE.synthetic import synthetic_picture


@pytest.fixture
def folder(tmp_path):
    """Forty red pictures of many sizes, some of them in a folder within the folder."""
    for name in ("pictures", "pictures/more"):
        (tmp_path / name).mkdir()
        for i in range(20):
            picture = Image.new("RGB", (40 + i, 60 - i), (255, 0, 0))
            picture.save(tmp_path / name / f"{i}.{'png' if i % 2 else 'jpg'}")
    return tmp_path / "pictures"


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(5, range(8))
    side = config.image_size
    assert batch["images"].shape == (8, config.channels, side, side)
    assert batch["images"].abs().max() <= 1
    again = Corpus(config).train_batch(5, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    other = corpus.train_batch(6, range(8))
    assert not any(torch.equal(batch[name], other[name]) for name in batch)
    halves = [corpus.train_batch(5, rows) for rows in (range(4), range(4, 8))]
    for name in batch:
        assert torch.equal(batch[name], torch.cat([half[name] for half in halves]))


def test_no_picture_is_both_trained_on_and_held_out(corpus):
    assert set(corpus.train).isdisjoint(corpus.val)
    assert len(corpus.train) + len(corpus.val) == len(corpus.pictures)
    held_out, again = (list(corpus.val_batches(4, limit=6)) for _ in range(2))
    assert [len(batch["images"]) for batch in held_out] == [4, 2]
    assert torch.equal(held_out[0]["posterior_noise"], again[0]["posterior_noise"])


def test_the_seed_decides_the_pictures():
    first, second = (synthetic_picture(seed, 0, 32, 3) for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_folders_and_tables_name_pictures(config, folder):
    config = replace(config, data=str(folder), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert len(corpus.pictures) == 40
    if config.channels == 3:
        assert all((batch["images"][:, 0] > 0.9).all() for batch in corpus.val_batches(64))
    table = folder.parent / "table.csv"
    rows = ["path", *(f"pictures/{i}.png" for i in (1, 3, 5, 7, 9, 11))]
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    config = replace(config, data=str(table), val_fraction=0.5)
    prepare(config)
    assert len(Corpus(config).pictures) == 6


def test_unusable_data_is_refused(config, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path / "empty")))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="column path"):
        prepare(replace(config, data=str(tmp_path / "bad.csv")))


def test_pictures_are_cut_scaled_and_shown_again(tmp_path):
    Image.new("RGB", (50, 30), (255, 0, 0)).save(tmp_path / "a.png")
    pixels = read_picture(tmp_path / "a.png", 16, 3)
    assert pixels.shape == (16, 16, 3) and (pixels == (255, 0, 0)).all()
    shown = to_picture(to_tensor([pixels])[0])
    assert np.array_equal(np.asarray(shown), pixels)
    sheet = contact_sheet([shown] * 7, ["a caption far too long for its picture"] * 7, columns=3)
    assert sheet.width > 3 * 128 and sheet.height > 3 * 128
