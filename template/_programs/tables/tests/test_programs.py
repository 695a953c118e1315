"""Every program leaves its artifact, with or without a trained model."""

import csv

from helpers import rows_of

from PACKAGE import infer


def test_answers_come_before_any_training(config, run, tmp_path):
    run(infer, "--device", "cpu", "--limit", "5")
    results = tmp_path / "results"
    rows = rows_of(results / "predictions.csv")
    assert len(rows) == 5
    assert (results / "predictions.png").read_bytes().startswith(b"\x89PNG")
    inputs = {name: value for name, value in rows[0].items() if name[0] in "xc"}
    with open("own.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(inputs))
        table.writeheader()
        table.writerow(inputs)
    run(infer, "--device", "cpu", "--input", "own.csv")
    assert len(rows_of(results / "predictions.csv")) == 1
