"""Speakers are shown by a picture."""

import sys

import pytest
from PIL import Image

from PACKAGE import infer
from PACKAGE.starts import read_picture


def test_a_stream_follows_its_picture(config, tmp_path, monkeypatch):
    Image.new("RGB", (40, 30), (250, 10, 10)).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png", config)
    assert picture.shape == (1, config.channels, config.image_size, config.image_size)
    flags = ("--device", "cpu", "--steps", "1", "--chunks", "1", "--samples", "2")
    monkeypatch.setattr(sys, "argv", ["infer", *flags, "--input", str(tmp_path / "a.png")])
    infer.main()
    assert len(list((tmp_path / "results" / "streams").glob("*.wav"))) == 2


def test_what_is_no_picture_is_refused(config, tmp_path):
    (tmp_path / "a.png").write_text("no picture", encoding="utf-8")
    for name in ("a.png", "missing.png"):
        with pytest.raises(ValueError, match="--input"):
            read_picture(tmp_path / name, config)
