"""MetaGen's own paper: it compiles, and what it says about MetaGen is what the code says now."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from metagen import load_spec, plan
from metagen.synth import paper_gen
from metagen.utils.escaping import tex

ROOT = Path(__file__).resolve().parents[2]
PAPER = ROOT / "paper"

sys.path.insert(0, str(ROOT / "benchmarks"))

from measure_paper import published, random_spec  # noqa: E402
from render_paper import RECORD, texts  # noqa: E402


def defined(name: str) -> dict[str, str]:
    text = (PAPER / name).read_text(encoding="utf-8")
    return dict(re.findall(r"\\definefigure\{(\w+)\}\{(.*)\}\n", text))


def test_the_example_s_figures_are_current():
    figures = plan(load_spec("text_llm_8b")).figures
    assert defined("ledger.tex") == {key: tex(figure.text) for key, figure in figures.items()}


def test_every_figure_is_defined_and_every_measured_one_is_used():
    text = (PAPER / "main.tex").read_text(encoding="utf-8")
    used = set(re.findall(r"\\fig\{(\w+)\}", text))
    measured = defined("measured.tex").keys()
    assert used <= measured | defined("ledger.tex").keys()
    assert measured <= used


def test_the_paper_is_set_from_the_record():
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    for name, text in texts(plan(load_spec("text_llm_8b")), record).items():
        assert (PAPER / name).read_text(encoding="utf-8") == text, "run benchmarks/render_paper.py"


def test_what_was_measured_supports_the_text():
    """What the prose says around its figures: they may move, the sentences have to hold."""
    measured = defined("measured.tex")

    def number(key: str) -> float:
        return float(re.match(r"[\d.,]+", measured[key])[0].replace(",", ""))

    assert measured["models_exact"] == measured["models_total"]
    assert number("models_total") >= 12
    assert number("fill_least") >= 95
    assert measured["specs_within"] == measured["specs_total"]
    assert number("specs_total") >= 500
    assert measured["specs_filled"] == measured["specs_free"]
    assert number("lives_broken") == number("lives_away_conflicts") == 0
    assert number("lives_total") >= 10
    assert (
        number("traces_worst") < 5 and number("peaks_worst") < 11.5 and number("steps_worst") < 12
    )


def test_random_specifications_become_what_the_record_says():
    record = json.loads(RECORD.read_text(encoding="utf-8"))["random"]
    for seed in (0, 123, 250, 499):
        found = random_spec(seed)
        assert found | {"seconds": 0} == record[seed] | {"seconds": 0}


def test_the_record_has_the_published_models_and_their_counts():
    assert published() == json.loads(RECORD.read_text(encoding="utf-8"))["published"]


def test_the_bibliography_is_the_library():
    text = (PAPER / "bibliography.bib").read_text(encoding="utf-8")
    assert set(re.findall(r"^@\w+\{(\w+),", text, re.M)) == set(paper_gen.load_library())


def test_the_abstract_has_150_to_220_words_and_the_house_lines_are_there():
    text = (PAPER / "main.tex").read_text(encoding="utf-8")
    abstract = re.search(r"\\begin\{abstract\}(.*?)\\end\{abstract\}", text, re.S)[1]
    assert 150 <= len(abstract.split()) <= 220
    flat = " ".join(text.split())
    for line in (
        "We follow the industry-standard practice of not disclosing dataset composition.",
        "parameter-free in the sense that parameters are a social construct",
        "We cannot release training data. We do not provide weights in the traditional sense.",
        "MetaGen Research, Department of Computational Ambition",
        r"Baselines evaluated under \emph{best-effort} conditions.",
    ):
        assert line in flat, line


def compiled(folder: Path) -> Path:
    """The paper's PDF, made in a folder of its own from what `make paper` reads."""
    shutil.copytree(PAPER, folder / "paper", ignore=shutil.ignore_patterns("main.[!t]*"))
    shutil.copytree(ROOT / "template" / "paper", folder / "template" / "paper")
    shutil.copytree(ROOT / "examples", folder / "examples")
    command = ["make", "-C", str(folder / "paper"), "pdf"]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stdout[-3000:]
    return folder / "paper" / "main.pdf"


@pytest.mark.latex
def test_it_compiles(tmp_path):
    made = compiled(tmp_path / "once")
    log = made.with_suffix(".log").read_text(encoding="latin-1")
    assert not [line for line in log.splitlines() if "Warning" in line and "undefined" in line]
    assert not [w for w in re.findall(r"Overfull \\[hv]box \(([\d.]+)pt", log) if float(w) > 10]
    fonts = subprocess.run(["pdffonts", made], capture_output=True, text=True, check=True).stdout
    assert "Type 1" in fonts and "Type 3" not in fonts
    again = compiled(tmp_path / "somewhere else" / "again")
    assert again.read_bytes() == made.read_bytes()
