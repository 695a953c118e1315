"""Every program leaves its artifact, with or without a trained model."""

from PIL import Image

from PACKAGE import infer


def test_clips_are_made_before_any_training(config, run, tmp_path, capsys):
    flags = ["--device", "cpu", "--samples", "2", "--steps", "2"]
    if config.reads_text:
        flags += ["--text", "a red disc moves right"]
    run(infer, *flags)
    assert "untrained" in capsys.readouterr().out
    with Image.open(tmp_path / "results" / "clips" / "00.gif") as animation:
        assert animation.n_frames > 1 or config.frames == 1
    with Image.open(tmp_path / "results" / "clips.png") as page:
        assert page.mode == "RGB"
