"""The programs work before there is a trained model."""

from PACKAGE import infer


def test_an_untrained_model_answers_and_says_so(config, run, capsys):
    run(infer, "--device", "cpu")
    assert "untrained" in capsys.readouterr().out
