"""Every program leaves its artifact, with or without a trained model."""

from helpers import rows_of
from PIL import Image

from PACKAGE import infer


def test_search_works_before_any_training(config, run, tmp_path, capsys):
    run(infer, "--device", "cpu", "--gallery", "9", "--queries", "2")
    assert "untrained" in capsys.readouterr().out
    with Image.open(tmp_path / "results" / "retrieval.png") as page:
        assert page.width > page.height
    rows = rows_of(tmp_path / "results" / "retrieval.csv")
    assert len(rows) == 2 * 5 and [row["rank"] for row in rows[:5]] == list("12345")
