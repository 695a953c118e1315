"""Shapes follow a picture: one that is given, one beside a file, or a rendering."""

import sys

import pytest
import torch
from PIL import Image

from PACKAGE import infer
from PACKAGE.data import Corpus, prepare
from PACKAGE.looks import look, pictured


def test_renderings_show_the_shape(config):
    prepare(config)
    sources = Corpus(config).train[:4]
    for source in sources:
        seen = look(source, config)
        assert seen.shape == (config.channels, config.image_size, config.image_size)
        assert seen[:, 0, 0].min() > 0.9 and seen.min() < 0.7  # paper, and clay
    assert torch.equal(look(sources[0], config), look(sources[0], config))


def test_a_shape_for_each_picture(config, tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in "ab":
        Image.new("RGB", (40, 30), (90, 120, 160)).save(folder / f"{name}.png")
    assert len(pictured(folder, "", "")) == 2
    with pytest.raises(ValueError, match="--input"):
        pictured(folder / "missing.png", "", "")
    flags = ("--device", "cpu", "--steps", "2", "--samples", "2", "--input", str(folder))
    monkeypatch.setattr(sys, "argv", ["infer", *flags])
    infer.main()
    made = {path.suffix for path in (tmp_path / "results" / "shapes").iterdir()}
    assert ".png" in made and len(made) == 2
