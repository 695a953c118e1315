"""Every program leaves its artifact, with or without a trained model."""

import pytest
from PIL import Image

from PACKAGE import Config, infer


def test_pictures_are_made_before_any_training(config, run, tmp_path, capsys):
    flags = ["--device", "cpu", "--count", "3", "--steps", "2", "--seed", "5"]
    run(infer, *flags)
    assert "untrained" in capsys.readouterr().out
    with Image.open(tmp_path / "results" / "samples.png") as sheet:
        assert sheet.width > 128
    made = sorted((tmp_path / "results" / "pictures").glob("*.png"))
    assert len(made) == 3
    with Image.open(made[0]) as picture:
        assert picture.size == (Config.tiny().image_size,) * 2
    first = [path.read_bytes() for path in made]
    run(infer, *flags)
    assert [path.read_bytes() for path in made] == first


def test_what_is_asked_for_is_made(config, run, tmp_path):
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
    run(infer, *flags)
    assert len(list((tmp_path / "results" / "pictures").glob("*.png"))) == 2


def test_mistakes_are_refused(config, run, capsys):
    mistakes = [["--count", "0"], ["--steps", "0"]]
    if config.condition == "class":
        mistakes.append(["--label", "nothing known"])
    if config.image_condition != "none":
        mistakes.append(["--picture", "nowhere.png"])
    for flags in mistakes:
        with pytest.raises(SystemExit) as stop:
            run(infer, *flags)
        assert stop.value.code == 2
        assert flags[0] in capsys.readouterr().err
