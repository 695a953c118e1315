"""Scenes follow from the seed and the step alone, and files are read as they are."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from PACKAGE.data import Corpus, prepare
from PACKAGE.readers import CocoFile, MaskFolder
from PACKAGE.scenes import boxes_of, class_map
from PACKAGE.synthetic import synthetic_scene


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_batch_depends_on_seed_and_step_alone(config):
    batch = Corpus(config).train_batch(5, range(8))
    assert batch["images"].shape == (8, config.channels, config.image_size, config.image_size)
    assert same(batch, Corpus(config).train_batch(5, range(8)))
    assert not torch.equal(batch["images"], Corpus(config).train_batch(6, range(8))["images"])
    other = Corpus(replace(config, seed=config.seed + 1)).train_batch(5, range(8))
    assert not torch.equal(batch["images"], other["images"])
    first = Corpus(config).train_batch(5, range(4))["images"]
    assert torch.equal(batch["images"][:4], first)


def test_boxes_surround_the_masks():
    scene = synthetic_scene("probe", 48, 3, 1, 5)
    assert scene.masks.any(axis=(1, 2)).all() and len(scene.labels) == len(scene.boxes)
    assert np.allclose(boxes_of(scene.masks), scene.boxes)
    assert (scene.masks.sum(axis=0) <= 1).all()
    assert set(np.unique(class_map(scene))) == {0, *scene.labels.tolist()}


@pytest.fixture
def coco(tmp_path):
    """A json with a polygon, run lengths, a bare box and a crowd, in a 20 x 10 picture."""
    (tmp_path / "images").mkdir()
    Image.new("RGB", (20, 10), (255, 0, 0)).save(tmp_path / "images" / "a.png")
    Image.new("L", (20, 10), 9).save(tmp_path / "b.png")
    square = {"category_id": 7, "bbox": [2, 2, 4, 4], "segmentation": [[2, 2, 6, 2, 6, 6, 2, 6]]}
    runs = {"category_id": 3, "bbox": [10, 0, 5, 10],
            "segmentation": {"size": [10, 20], "counts": [100, 50, 50]}}  # fmt: skip
    bare = {"category_id": 3, "bbox": [0, 8, 2, 2]}
    crowd = {"category_id": 3, "bbox": [18, 0, 2, 2], "iscrowd": 1}
    listed = [
        entry | {"image_id": 1, "id": i} for i, entry in enumerate((square, runs, bare, crowd))
    ]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10},
                   {"id": 2, "file_name": "b.png", "width": 20, "height": 10}],
        "categories": [{"id": 7, "name": "kite"}, {"id": 3, "name": "boat"}],
        "annotations": listed,
    }  # fmt: skip
    (tmp_path / "instances.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path / "instances.json"


def test_coco_objects_become_masks_and_boxes(coco):
    reader = CocoFile(coco)
    assert reader.names(0) == ["boat", "kite"]
    scene = reader.scene(0, 40, 3, 0)
    assert scene.labels.tolist() == [1, 0, 0]
    assert scene.boxes[0].tolist() == pytest.approx([0.2, 0.4, 0.2, 0.4])
    assert np.allclose(boxes_of(scene.masks), scene.boxes, atol=1.5 / 40)
    assert scene.ignored[:8, 36:].all() and scene.ignored.sum() <= 9 * 5
    assert scene.image[0].min() == 1 and scene.image[1].max() == -1
    assert len(reader.scene(1, 40, 3, 0).labels) == 0


def test_mask_folders_become_scenes(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    mask = np.zeros((10, 10), dtype=np.uint8)
    mask[2:4, 2:6], mask[9] = 3, 255
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    Image.new("RGB", (10, 10)).save(tmp_path / "images" / "a.jpg")
    (tmp_path / "classes.txt").write_text("none\none\ntwo\nthree\n", encoding="utf-8")
    reader = MaskFolder(tmp_path)
    scene = reader.scene(0, 10, 1, 1)
    assert reader.names(1)[3] == "three" and scene.image.shape == (1, 10, 10)
    assert np.array_equal(class_map(scene), np.where(mask == 255, -1, mask.astype(int)))


def test_files_become_batches(config, coco):
    config = replace(config, data=str(coco), num_classes=5, val_fraction=0.5)
    prepare(config)
    corpus = Corpus(config)
    assert len(corpus.train) == len(corpus.val) == 1
    assert corpus.train_batch(0, range(2))["images"].shape[0] == 2
    assert corpus.names[-2:] == ["boat", "kite"]


def test_unusable_data_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path)))
    (tmp_path / "empty.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path / "empty.json")))
