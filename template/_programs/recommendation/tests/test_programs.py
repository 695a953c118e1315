"""Every program leaves its artifact, with or without a trained model."""

from helpers import rows_of

from PACKAGE import infer


def test_answers_come_before_any_training(config, run, tmp_path):
    run(infer, "--device", "cpu", "--limit", "3")
    results = tmp_path / "results"
    rows = rows_of(results / "recommendations.csv")
    assert len({row["user"] for row in rows}) == 3
    assert (results / "recommendations.png").read_bytes().startswith(b"\x89PNG")
    run(infer, "--device", "cpu", "--users", "user 1")
    assert {row["user"] for row in rows_of(results / "recommendations.csv")} == {"user 1"}
