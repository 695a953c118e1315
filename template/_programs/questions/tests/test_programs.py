"""Every program leaves its artifact, with or without a trained model."""

from PIL import Image

from PACKAGE import infer


def test_asking_works_before_any_training(config, run, tmp_path):
    Image.new("RGB", (50, 40), "red").save(tmp_path / "red.png")
    flags = ["--image", "red.png", "--question", "what colour?", "--max-new-tokens", "3"]
    run(infer, *flags, "--device", "cpu")
    text = (tmp_path / "results" / "answers.txt").read_text(encoding="utf-8")
    assert "untrained" in text and "Q: what colour?" in text
    with Image.open(tmp_path / "results" / "answers.png") as page:
        assert page.width > 50
