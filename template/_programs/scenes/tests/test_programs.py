"""Every program leaves its artifact, with or without a trained model."""

import json

import pytest
from PIL import Image

from PACKAGE import infer


def test_inference_works_before_any_training(config, run, tmp_path, capsys):
    run(infer, "--count", "2", "--device", "cpu")
    assert "untrained" in capsys.readouterr().out
    (sheet,) = (tmp_path / "results").glob("*.png")
    with Image.open(sheet) as picture:
        assert picture.width > picture.height / 2
    (record,) = (tmp_path / "results").glob("*.json")
    assert len(json.loads(record.read_text(encoding="utf-8"))["pictures"]) == 2


def test_pictures_of_ones_own_are_read(config, run, tmp_path, capsys):
    Image.new("RGB", (50, 30), (200, 30, 30)).save(tmp_path / "own.jpg")
    run(infer, "--picture", "own.jpg", "--device", "cpu")
    assert "own.jpg" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run(infer, "--picture", "absent.jpg")
