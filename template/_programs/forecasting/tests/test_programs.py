"""Every program leaves its artifact, with or without a trained model."""

import json
from dataclasses import replace

from helpers import rows_of
from PIL import Image

from PACKAGE import eval as evaluation
from PACKAGE import infer
from PACKAGE.train import train


def test_series_are_forecast_before_any_training(config, run, tmp_path, capsys):
    run(infer, "--device", "cpu")
    assert "untrained" in capsys.readouterr().out
    rows = rows_of(tmp_path / "results" / "forecast.csv")
    assert rows[0]["series"] == "airline passengers" and float(rows[0]["actual"]) > 0
    with Image.open(tmp_path / "results" / "forecast.png") as picture:
        assert picture.width > 500 and picture.height > 500


def test_a_run_forecasts_what_comes_after_a_table(config, run, tmp_path):
    train(replace(config, steps=2, warmup_steps=1))
    lines = ["day,a,b", *(f"d{i},{i % 5},{i}" for i in range(30))]
    (tmp_path / "own.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run(infer, "--series", "own.csv", "--device", "cpu")
    rows = rows_of(tmp_path / "results" / "forecast.csv")
    assert len(rows) == 2 * config.horizon and rows[0]["step"] == "30"
    assert {row["variable"] for row in rows} == {"a", "b"}
    assert not any(row["actual"] for row in rows)
    run(evaluation, "--device", "cpu")
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert [row[0] for row in saved["rows"]][:2] == ["this model", "last season"]
    assert saved["figures"]["loss"] > 0
