"""Every program leaves its artifact, with or without a trained model."""

import torch
from helpers import rows_of
from PIL import Image

from PACKAGE import infer
from PACKAGE.clips import write_gif


def test_naming_works_before_any_training(config, run, tmp_path):
    run(infer, "--device", "cpu", "--limit", "3")
    results = tmp_path / "results"
    rows = rows_of(results / "predictions.csv")
    assert len(rows) == 3 and {"clip", "predicted", "probability", "label"} == rows[0].keys()
    with Image.open(results / "watched.gif") as animation:
        assert animation.n_frames > 1


def test_own_clips_are_named(config, run, tmp_path):
    write_gif(tmp_path / "noise.gif", torch.rand(5, 3, 8, 8), "noise")
    flags = ("--device", "cpu", "--input", str(tmp_path / "noise.gif"))
    run(infer, *flags)
    assert "noise.gif" in (tmp_path / "results" / "predictions.csv").read_text(encoding="utf-8")
