"""Every program leaves its artifact, with or without a trained model."""

from PIL import Image

from PACKAGE import Config, infer
from PACKAGE.wav import read_wav


def test_streams_are_made_before_any_training(config, run, tmp_path, capsys):
    flags = ("--device", "cpu", "--text", "a red face speaks low", "--steps", "2", "--chunks", "2")
    run(infer, *flags)
    assert "untrained" in capsys.readouterr().out
    folder, tiny = tmp_path / "results" / "streams", Config.tiny()
    with Image.open(folder / "00.gif") as animation:
        assert animation.n_frames > 1
    sound = read_wav(folder / "00.wav", tiny.sample_rate)
    assert len(sound) == 2 * tiny.chunk_codes * tiny.code_samples
    with Image.open(tmp_path / "results" / "streams.png") as page:
        assert page.mode == "RGB"
