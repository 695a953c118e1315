"""Every program leaves its artifact, with or without a trained model."""

import csv
import json
from dataclasses import replace

import pytest
from helpers import rows_of
from PIL import Image

from PACKAGE import eval as evaluation
from PACKAGE import infer
from PACKAGE.train import train


def predictions(folder):
    return rows_of(folder / "results" / "predictions.csv")


def test_pictures_are_named_before_any_training(config, run, tmp_path, capsys):
    Image.new("RGB", (80, 50), (9, 99, 9)).save(tmp_path / "green.png")
    flags = ["--pictures", "green.png", "--device", "cpu"]
    run(infer, *flags)
    assert "untrained" in capsys.readouterr().out
    (row,) = predictions(tmp_path)
    assert row["picture"] == "green.png" and row["predicted"] and row["label"] == ""
    with Image.open(tmp_path / "results" / "predictions.png") as sheet:
        assert sheet.width > 128


def test_a_run_names_held_out_pictures(config, run, tmp_path):
    train(replace(config, steps=2, warmup_steps=1))
    run(infer, "--limit", "5", "--device", "cpu")
    rows = predictions(tmp_path)
    assert len(rows) == 5 and all(row["label"] and 0 <= float(row["probability"]) for row in rows)
    run(evaluation, "--device", "cpu")
    with open(tmp_path / "results" / "confusion.csv", encoding="utf-8", newline="") as file:
        names, *counts = csv.reader(file)
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert sum(int(n) for row in counts for n in row[1:]) <= saved["figures"]["samples"]
    assert len(counts) == len(names) - 1


def test_missing_pictures_are_refused(config, run, capsys):
    with pytest.raises(SystemExit) as stop:
        run(infer, "--pictures", "nowhere")
    assert stop.value.code == 2
    assert "--pictures" in capsys.readouterr().err
