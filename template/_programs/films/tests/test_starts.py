"""Clips go on from what they are given: a picture, or the start of another clip."""

import sys

import pytest
import torch
from PIL import Image

from PACKAGE import infer
from PACKAGE.clips import clip_shape
from PACKAGE.samples import write_animation
from PACKAGE.starts import read_start, started


@pytest.fixture
def folder(tmp_path):
    """A folder with a picture and a clip."""
    folder = tmp_path / "starts"
    folder.mkdir()
    Image.new("RGB", (40, 30), (250, 10, 10)).save(folder / "a.png")
    write_animation(folder / "b.gif", torch.rand(8, 3, 16, 16), 8)
    return folder


def test_pictures_stand_still(config, folder):
    clip = read_start(folder / "a.png", config)
    assert clip.shape == clip_shape(config)
    assert torch.equal(clip[0], clip[-1])
    assert [film.name for film in started(folder, "a text", config)] == ["a", "b"]
    with pytest.raises(ValueError, match="--input"):
        started(folder / "missing", "", config)


def test_a_clip_for_each_beginning(config, folder, tmp_path, monkeypatch):
    flags = ("--device", "cpu", "--steps", "2", "--input", str(folder))
    monkeypatch.setattr(sys, "argv", ["infer", *flags])
    infer.main()
    made = sorted((tmp_path / "results" / "clips").iterdir())
    assert [path.name for path in made] == ["00.gif", "01.gif"]
