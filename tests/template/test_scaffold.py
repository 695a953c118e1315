"""Synthesis is atomic, and keeps the author's own words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from metagen import SpecError, load_spec, plan, scaffold
from metagen.post import figures

TEXT = """\
# mine
metagen_version: "1.0"
name: small talk   # a name
modality: {inputs: [text], outputs: [text]}
constraints: {parameter_budget: 5M, context_window: 2k}
reproducibility: {seed: 7}
"""


@pytest.fixture(autouse=True)
def sketched(template, monkeypatch):
    """Figures are sketched in here."""
    monkeypatch.setattr(figures, "AHEAD", "")
    monkeypatch.setattr(scaffold, "template_root", lambda: template.path)


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "document.yaml"
    path.write_text(TEXT)
    return path


def test_own_words(document, tmp_path):
    made = scaffold.synthesize(document, tmp_path / "made")
    assert (made.path / "spec.yaml").read_text() == TEXT
    assert made.release.seed == 7
    answers = yaml.safe_load((made.path / ".copier-answers.yml").read_text())
    assert answers["_src_path"] == "gh:metagen/template"
    assert answers["_commit"] == f"v{made.release.version}"
    assert answers["author"] == "The small talk authors"
    assert not (made.path / ".git").exists()


def test_seed_is_stated(document, tmp_path):
    made = scaffold.synthesize(document, tmp_path / "made", seed=8).path
    assert (made / "spec.yaml").read_text() == TEXT.replace(
        "reproducibility: {seed: 7}", "reproducibility:\n  seed: 8"
    )
    for name in ("spec_resolved.yaml", ".copier-answers.yml"):
        assert yaml.safe_load((made / name).read_text())["reproducibility"]["seed"] == 8


def test_answers(document, tmp_path):
    made = scaffold.synthesize(
        document, tmp_path / "made", package="other", author="Ada", license="MIT", voice="plain"
    ).path
    answers = yaml.safe_load((made / ".copier-answers.yml").read_text())
    given = {key: answers[key] for key in ("package_name", "author", "license", "voice")}
    assert list(given.values()) == ["other", "Ada", "MIT", "plain"]
    assert (made / "code" / "other" / "model.py").is_file()


def test_from_a_release(document, tmp_path, tree):
    """The command line plans first; what it planned is what is rendered."""
    release = plan(load_spec(document))
    one = scaffold.synthesize(release, tmp_path / "one", spec_text=TEXT).path
    two = scaffold.synthesize(document, tmp_path / "two").path
    assert tree(one) == tree(two)


@pytest.mark.parametrize(
    "answers", [{"package": "torch"}, {"license": "GPL"}, {"voice": "loud"}, {"author": " "}]
)
def test_refused_answers(document, tmp_path, answers):
    with pytest.raises(SpecError):
        scaffold.synthesize(document, tmp_path / "made", **answers)
    assert [path.name for path in tmp_path.iterdir()] == ["document.yaml"]


def test_existing_destination(document, tmp_path):
    (tmp_path / "made").mkdir()
    with pytest.raises(scaffold.ScaffoldError, match="exists"):
        scaffold.synthesize(document, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, RuntimeError])
@pytest.mark.parametrize("step", ["_render", "_finish"])
def test_failure_leaves_nothing(document, tmp_path, monkeypatch, error, step):
    real = getattr(scaffold, step)

    def stop(*arguments, **options):
        real(*arguments, **options)
        raise error

    monkeypatch.setattr(scaffold, step, stop)
    with pytest.raises(error):
        scaffold.synthesize(document, tmp_path / "deep" / "made")
    assert [path.name for path in tmp_path.iterdir()] == ["document.yaml"]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_interrupted_from_outside(document, tmp_path):
    """Ctrl-C reaches the drawing process too; neither leaves anything behind."""
    program = (
        "import sys, metagen.scaffold as s; real = s._render\n"
        "def slow(*a): real(*a); print('rendered', flush=True); import time; time.sleep(60)\n"
        "s._render = slow; s.synthesize(sys.argv[1], sys.argv[2])"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, document, tmp_path / "made"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert child.stdout.readline() == b"rendered\n"
    os.killpg(child.pid, signal.SIGINT)
    child.communicate(timeout=20)
    assert child.returncode != 0
    time.sleep(0.1)
    assert [path.name for path in tmp_path.iterdir()] == ["document.yaml"]


def test_inside_a_repository(document, tmp_path, adopt, tree):
    """A Git repository around the destination, which may ignore it, changes nothing."""
    outer = tmp_path / "outer"
    (outer / "outputs").mkdir(parents=True)
    (outer / ".gitignore").write_text("/outputs/\n")
    adopt(outer)
    one = scaffold.synthesize(document, outer / "outputs" / "made").path
    two = scaffold.synthesize(document, tmp_path / "made").path
    assert tree(one) == tree(two)


class TestPaper:
    def test_only_the_paper(self, document, tmp_path):
        made = scaffold.paper(document, tmp_path / "paper", author="Ada")
        names = {path.name for path in made.path.iterdir()}
        assert {"main.tex", "ledger.tex", "sections", "bibliography.bib", "Makefile"} <= names
        assert (made.path / "figures" / "pipeline.pdf").is_file()
        assert "Ada" in (made.path / "main.tex").read_text()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["document.yaml", "paper"]

    def test_same_as_the_repository_has(self, document, tmp_path, tree):
        alone = scaffold.paper(document, tmp_path / "paper").path
        whole = scaffold.synthesize(document, tmp_path / "made").path
        assert tree(alone) == tree(whole / "paper")

    def test_not_asked_for(self, document, tmp_path):
        """The command asks for the paper, whatever the document asks for."""
        document.write_text(TEXT + "outputs: {artifacts: [model_card]}\n")
        assert (scaffold.paper(document, tmp_path / "paper").path / "main.tex").is_file()

    def test_again(self, document, tmp_path):
        made = scaffold.paper(document, tmp_path / "paper").path
        (made / "measured.tex").write_text("mine")
        (made / "main.tex").write_text("old")
        scaffold.paper(document, made)
        assert (made / "measured.tex").read_text() == "mine"
        assert (made / "main.tex").read_text() != "old"

    def test_somebody_elses_folder(self, document, tmp_path):
        (tmp_path / "paper").mkdir()
        (tmp_path / "paper" / "main.tex").write_text("mine")
        with pytest.raises(scaffold.ScaffoldError, match="not a generated paper"):
            scaffold.paper(document, tmp_path / "paper")
        assert (tmp_path / "paper" / "main.tex").read_text() == "mine"

    def test_empty_folder(self, document, tmp_path):
        (tmp_path / "paper").mkdir()
        assert (scaffold.paper(document, tmp_path / "paper").path / "main.tex").is_file()
