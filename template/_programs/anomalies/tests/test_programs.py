"""Every program leaves its artifact, with or without a trained model."""

import json
from dataclasses import replace

from helpers import rows_of
from PIL import Image

from PACKAGE import eval as evaluation
from PACKAGE import infer
from PACKAGE.train import train


def test_series_are_judged_before_any_training(config, run, tmp_path, capsys):
    run(infer, "--device", "cpu")
    assert "untrained" in capsys.readouterr().out
    rows = rows_of(tmp_path / "results" / "anomalies.csv")
    assert {row["anomaly"] for row in rows} == {"0", "1"}
    with Image.open(tmp_path / "results" / "anomalies.png") as picture:
        assert picture.width > 500 and picture.height > 500


def test_a_run_judges_a_table(config, run, tmp_path):
    train(replace(config, steps=2, warmup_steps=1))
    lines = ["day,a,b", *(f"d{i},{i % 5},{i}" for i in range(90))]
    (tmp_path / "own.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run(infer, "--series", "own.csv", "--device", "cpu")
    rows = rows_of(tmp_path / "results" / "anomalies.csv")
    assert len(rows) == 180 and {row["variable"] for row in rows} == {"a", "b"}
    run(evaluation, "--device", "cpu")
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert [row[0] for row in saved["rows"]][:2] == ["this model", "distance from the mean"]
    assert saved["figures"]["loss"] > 0


def test_without_labels_only_the_loss_is_told(config, run, tmp_path, capsys):
    lines = ["a", *(str(i % 7) for i in range(300))]
    (tmp_path / "own.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    train(replace(config, steps=2, warmup_steps=1, data="own.csv"))
    run(evaluation, "--device", "cpu")
    assert "flagged share" in capsys.readouterr().out
