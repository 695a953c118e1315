"""Every program leaves its artifact, with or without a trained model."""

import json
from dataclasses import replace

from helpers import rows_of
from PIL import Image

from PACKAGE import eval as evaluation
from PACKAGE import infer
from PACKAGE.train import train


def test_series_are_named_before_any_training(config, run, tmp_path, capsys):
    run(infer, "--limit", "5", "--device", "cpu")
    assert "untrained" in capsys.readouterr().out
    rows = rows_of(tmp_path / "results" / "predictions.csv")
    assert len(rows) == 5 and 0 < float(rows[0]["probability"]) <= 1
    with Image.open(tmp_path / "results" / "predictions.png") as picture:
        assert picture.width > 500 and picture.height > 500


def test_a_run_names_the_rows_of_a_table(config, run, tmp_path):
    train(replace(config, steps=2, warmup_steps=1))
    (tmp_path / "own.csv").write_text("sine,1,2,3\nnoise,3,1,2\n", encoding="utf-8")
    run(infer, "--series", "own.csv", "--device", "cpu")
    rows = rows_of(tmp_path / "results" / "predictions.csv")
    assert [row["label"] for row in rows] == ["sine", "noise"]
    run(evaluation, "--device", "cpu")
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert [row[0] for row in saved["rows"]] == ["this model", "majority class"]
    assert saved["figures"]["loss"] > 0
