"""Every program leaves its artifact, with or without a trained model."""

from PACKAGE import infer


def test_sampling_works_before_any_training(config, run, tmp_path):
    run(infer, "--max-new-tokens", "5", "--device", "cpu")
    assert "untrained" in (tmp_path / "results" / "sample.txt").read_text(encoding="utf-8")
