"""Every program leaves its artifact, with or without a trained model."""

import json

from helpers import rows_of
from PIL import Image

from PACKAGE import bench, infer
from PACKAGE import eval as evaluation
from PACKAGE.train import train


def test_an_episode_becomes_a_table_and_a_film(config, run, tmp_path, capsys):
    run(infer, "--device", "cpu")
    assert "untrained" in capsys.readouterr().out
    rows = rows_of(tmp_path / "results" / "episode.csv")
    assert [int(row["step"]) for row in rows] == list(range(len(rows)))
    assert all("action_0" in row and "reward" in row for row in rows)
    with Image.open(tmp_path / "results" / "episode.gif") as film:
        assert film.n_frames > 1


def test_a_run_is_evaluated(config, run, tmp_path):
    train(config, stop_after=1)
    run(evaluation, "--device", "cpu", "--episodes", "3")
    saved = json.loads((tmp_path / "results" / "eval.json").read_text(encoding="utf-8"))
    assert saved["figures"]["episodes"] == 3 and len(saved["rows"]) > 1


def test_decisions_are_made_in_real_time(config, run, tmp_path):
    run(bench, "--preset", "tiny", "--device", "cpu", "--repeats", "1")
    measured = json.loads((tmp_path / "results" / "bench.json").read_text(encoding="utf-8"))
    assert measured["figures"]["samples_per_s"] >= 60
