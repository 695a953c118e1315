"""Every program leaves its artifact, with or without a trained model."""

from PIL import Image

from PACKAGE import infer


def test_shapes_are_made_before_any_training(config, run, tmp_path, capsys):
    flags = ["--device", "cpu", "--samples", "2", "--steps", "2"]
    if config.reads_text:
        flags += ["--text", "a tall thin cylinder"]
    if config.labelled:
        flags += ["--label", "ball"]
    run(infer, *flags)
    assert "untrained" in capsys.readouterr().out
    made = sorted(path.name for path in (tmp_path / "results" / "shapes").iterdir())
    ending = "ply" if config.representation == "points" else "obj"
    assert made == [f"00.{ending}", "00.png", f"01.{ending}", "01.png"]
    for path in ("shapes/00.png", "shapes.png"):
        with Image.open(tmp_path / "results" / path) as page:
            assert page.mode == "RGB"
