"""Tables are read as they are, seasons are found, and pictures show what they are told to."""

import numpy as np
import pytest

from PACKAGE import infer
from PACKAGE.plot import BLUE, HEIGHT, RED, Line, Panel, draw
from PACKAGE.series import find_season, read_table, whole


@pytest.fixture
def table(tmp_path):
    """Two variables, one of them with a hole, beside dates and labels."""
    rows = ["date,heat,rain,label"]
    rows += [f"2020-01-{i + 1:02},{i},{'' if i == 3 else i / 2},{int(i == 5)}" for i in range(20)]
    path = tmp_path / "weather.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_columns_of_numbers_are_variables(table):
    series = read_table(table)
    assert series.columns == ("heat", "rain") and len(series) == 20
    assert series.known.sum() == 39 and not series.known[3, 1]
    assert np.flatnonzero(series.labels[:, 0]).tolist() == [5]


def test_what_lies_outside_is_unknown():
    series = whole("a", np.arange(5.0))
    values, known = series.span(0, -2, 4, until=3)
    assert values.tolist() == [0, 0, 0, 1, 2, 0]
    assert known.tolist() == [False, False, True, True, True, False]


@pytest.mark.parametrize("text", ["", "a\n1\n", "a,b\nx,y\nx,y\n"], ids=["empty", "short", "words"])
def test_tables_without_series_are_refused(tmp_path, text):
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="--data"):
        read_table(tmp_path / "bad.csv")
    with pytest.raises(ValueError, match="--series"):
        read_table(tmp_path / "nowhere.csv", "--series")


def test_missing_series_are_refused(config, run, capsys):
    with pytest.raises(SystemExit) as stop:
        run(infer, "--series", "nowhere.csv")
    assert stop.value.code == 2
    assert "--series" in capsys.readouterr().err


def test_seasons_are_found():
    time = np.arange(120)
    noise = np.random.default_rng(0).normal(0, 1, 120)
    assert find_season(np.sin(2 * np.pi * time / 12) + 0.05 * time + 0.2 * noise) == 12
    assert find_season(0.1 * time) == 1


def test_a_picture_has_a_panel_for_each():
    line = Line(5, np.array([1.0, np.nan, 3.0, 2.0, 2.5]), BLUE)
    flat = Panel("constant", [Line(0, np.ones(4))], marks=[(1, 2, RED)])
    picture = draw([Panel("one", [line], (line, line)), flat])
    assert picture.height == 2 * HEIGHT
    colours = {colour for _, colour in picture.getcolors(10**6)}
    assert {BLUE, RED} <= colours
