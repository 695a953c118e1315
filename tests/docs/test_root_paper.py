"""MetaGen's own paper: it compiles, and what it says about MetaGen is what the code says now."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from metagen import load_spec, plan
from metagen.synth import paper_gen
from metagen.utils.escaping import tex

ROOT = Path(__file__).resolve().parents[2]
PAPER = ROOT / "paper"


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


def test_what_was_measured_supports_the_text():
    measured = defined("measured.tex")
    assert measured["models_exact"] == measured["models_total"]
    assert int(measured["models_total"]) >= 12
    assert float(measured["fill_least"].removesuffix(r" \%")) >= 95


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


@pytest.mark.skipif(not shutil.which("latexmk"), reason="latexmk is not installed")
def test_it_compiles(tmp_path):
    shutil.copytree(PAPER, tmp_path / "paper")
    shutil.copytree(ROOT / "template" / "paper", tmp_path / "template" / "paper")
    command = ["make", "-C", str(tmp_path / "paper"), "pdf"]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stdout[-3000:]
    log = (tmp_path / "paper/main.log").read_text(encoding="latin-1")
    assert "undefined" not in log.lower()
    assert not [w for w in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(w) > 10]
