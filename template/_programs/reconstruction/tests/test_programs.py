"""Every program leaves its artifact, with or without a trained model."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from PACKAGE import eval as evaluation
from PACKAGE import infer
from PACKAGE.train import train


def test_pictures_are_encoded_before_any_training(config, run, tmp_path, capsys):
    Image.new("RGB", (80, 50), (9, 99, 9)).save(tmp_path / "green.png")
    run(infer, "--pictures", "green.png", "--device", "cpu")
    assert "untrained" in capsys.readouterr().out
    with Image.open(tmp_path / "results" / "reconstructions.png") as sheet:
        assert sheet.width > 6 * 128 and sheet.height > 2 * 128
    assert np.load(tmp_path / "results" / "codes.npy").shape[0] == 1


def test_a_run_reconstructs_held_out_pictures(config, run, tmp_path):
    train(replace(config, steps=2, warmup_steps=1))
    run(infer, "--limit", "7", "--device", "cpu")
    assert np.load(tmp_path / "results" / "codes.npy").shape[0] == 7
    run(evaluation, "--device", "cpu")
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert [row[0] for row in saved["rows"]][:2] == ["this model", "mean picture"]
    assert saved["figures"]["loss"] > 0


def test_missing_pictures_are_refused(config, run, capsys):
    with pytest.raises(SystemExit) as stop:
        run(infer, "--pictures", "nowhere")
    assert stop.value.code == 2
    assert "--pictures" in capsys.readouterr().err
