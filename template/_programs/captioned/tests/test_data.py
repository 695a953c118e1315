"""Pairs are read from the usual files, and batches depend on the seed and the step alone."""

import csv
import json
from dataclasses import replace

import pytest
import torch
from helpers import draw_pictures

from PACKAGE.data import Corpus, prepare
from PACKAGE.synthetic import SCENES, draw, scene


@pytest.fixture
def pictures(tmp_path):
    """A folder of twelve pictures."""
    return draw_pictures(tmp_path / "pictures")


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(5, range(8))
    side = config.image_size
    assert batch["images"].shape == (8, config.channels, side, side)
    assert batch["tokens"].shape == (8, config.context_length)
    again, later = Corpus(config).train_batch(5, range(8)), corpus.train_batch(6, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert not torch.equal(batch["tokens"], later["tokens"])
    assert -1 <= batch["images"].min() < batch["images"].max() <= 1


def test_no_two_captions_are_equal():
    assert len({scene(number).caption for number in range(SCENES)}) == SCENES


def test_a_picture_shows_its_scene():
    number = next(n for n in range(SCENES) if "large red square left of" in scene(n).caption)
    red, green = draw(number, 32, 3)[16, 6, :2]
    assert red > 200 > 100 > green


def test_tables_become_pairs(config, pictures):
    with open(pictures / "captions.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file_name", "caption"))
        rows.writerows((f"{i:02d}.png", f"picture {i}") for i in range(6))
    lines = [json.dumps({"image": f"{i:02d}.png", "text": f"line {i}"}) for i in range(6, 12)]
    (pictures / "more.jsonl").write_text("\n".join(lines), encoding="utf-8")
    config = replace(config, data=str(pictures), val_fraction=0.4)
    prepare(config)
    corpus = Corpus(config)
    texts = {pair["text"] for pair in corpus.train + corpus.val}
    assert len(texts) == 12 and {"picture 0", "line 11"} <= texts
    assert corpus.train_batch(0, range(4))["images"].isfinite().all()


def test_texts_beside_pictures_become_pairs(config, pictures):
    for path in pictures.glob("*.png"):
        path.with_suffix(".txt").write_text(f"number {path.stem}\n", encoding="utf-8")
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
