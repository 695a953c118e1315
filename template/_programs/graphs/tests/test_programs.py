"""Every program leaves its artifact, with or without a trained model."""

from helpers import rows_of

from PACKAGE import infer


def test_answers_come_before_any_training(config, run, tmp_path):
    run(infer, "--device", "cpu", "--limit", "3")
    results = tmp_path / "results"
    assert len(rows_of(results / "predictions.csv")) >= 3
    (drawing,) = results.glob("*.png")
    assert drawing.read_bytes().startswith(b"\x89PNG")
