"""Every program leaves its artifact, with or without a trained model."""

import json
import sys

import pytest
from PIL import Image

from PACKAGE import Config, bench, infer, report
from PACKAGE import eval as evaluation


def run(program, *flags, monkeypatch):
    """Run a program's `main` as the command line would."""
    monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
    program.main()


def test_pictures_are_made_before_any_training(config, tmp_path, monkeypatch, capsys):
    flags = ["--device", "cpu", "--count", "3", "--steps", "2", "--seed", "5"]
    run(infer, *flags, monkeypatch=monkeypatch)
    assert "untrained" in capsys.readouterr().out
    with Image.open(tmp_path / "results" / "samples.png") as sheet:
        assert sheet.width > 128
    made = sorted((tmp_path / "results" / "pictures").glob("*.png"))
    assert len(made) == 3
    with Image.open(made[0]) as picture:
        assert picture.size == (Config.tiny().image_size,) * 2
    first = [path.read_bytes() for path in made]
    run(infer, *flags, monkeypatch=monkeypatch)
    assert [path.read_bytes() for path in made] == first


def test_what_is_asked_for_is_made(config, tmp_path, monkeypatch):
    flags = ["--device", "cpu", "--count", "2", "--steps", "2"]
    Image.new("RGB", (20, 30), (9, 99, 9)).save(tmp_path / "green.png")
    if config.condition == "text":
        flags += ["--prompt", "a red circle", "--prompt", "a blue square"]
    if config.condition == "class":
        flags += ["--label", "red circle"]
    if config.image_condition != "none":
        flags += ["--picture", "green.png"]
    if config.image_condition == "inpaint":
        Image.new("L", (20, 20), 255).save(tmp_path / "mask.png")
        flags += ["--mask", "mask.png"]
    run(infer, *flags, monkeypatch=monkeypatch)
    assert len(list((tmp_path / "results" / "pictures").glob("*.png"))) == 2


def test_mistakes_are_refused(config, monkeypatch, capsys):
    mistakes = [["--count", "0"], ["--steps", "0"]]
    if config.condition == "class":
        mistakes.append(["--label", "nothing known"])
    if config.image_condition != "none":
        mistakes.append(["--picture", "nowhere.png"])
    for flags in mistakes:
        with pytest.raises(SystemExit) as stop:
            run(infer, *flags, monkeypatch=monkeypatch)
        assert stop.value.code == 2
        assert flags[0] in capsys.readouterr().err


def test_evaluation_asks_for_a_run(config, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(evaluation, monkeypatch=monkeypatch)
    assert stop.value.code == 2
    assert "train first" in capsys.readouterr().err


def test_benchmarks_become_a_report(config, tmp_path, monkeypatch):
    (tmp_path / "paper").mkdir()
    flags = ["--preset", "tiny", "--device", "cpu", "--repeats", "1", "--micro-batch", "4"]
    run(bench, *flags, "--sampling-steps", "2", monkeypatch=monkeypatch)
    figures = json.loads((tmp_path / "results" / "bench.json").read_text(encoding="utf-8"))
    assert figures["provenance"] == "measured"
    assert figures["figures"]["samples_per_s"] > 0
    run(report, monkeypatch=monkeypatch)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")
    assert r"\begin{table}" in (tmp_path / "paper" / "measured.tex").read_text(encoding="utf-8")
