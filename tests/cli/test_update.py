"""`metagen update`: what it reports and the status that it exits with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from metagen import __version__

ROOT = Path(__file__).resolve().parents[2]
SPEC = """\
metagen_version: "1.0"
name: "small"
modality: {inputs: ["text"], outputs: ["text"]}
constraints: {parameter_budget: {max: "2M"}, context_window: "2k"}
"""


def git(folder: Path, *arguments: str) -> str:
    identity = {"NAME": "Somebody", "EMAIL": "somebody@example.org"}
    named = {f"GIT_{who}_{k}": v for who in ("AUTHOR", "COMMITTER") for k, v in identity.items()}
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=os.environ | named, check=True, capture_output=True,
        text=True,
    ).stdout  # fmt: skip


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.search(old, text)
    path.write_text(re.sub(old, new, text, count=1), encoding="utf-8")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as its tag has it, in a Git repository of its own."""
    folder = tmp_path_factory.mktemp("origin") / "template"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("src", "template"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "copier.yml", folder)
    git(folder, "init", "--quiet")
    commit(folder, "Release")
    git(folder, "tag", f"v{__version__}")
    return folder


@pytest.fixture(scope="module")
def committed(metagen: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed repository made by `metagen synth`."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "spec.yaml").write_text(SPEC)
    done = metagen("synth", "spec.yaml", "--out", ".", "--run-id", "project", cwd=folder)
    assert done.status == 0, done.err
    git(folder / "project", "init", "--quiet")
    commit(folder / "project", "First synthesis")
    return folder / "project"


@pytest.fixture
def project(committed: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return shutil.copytree(committed, tmp_path / "project")


def test_nothing_to_do(metagen: Callable, project: Path, template: Path) -> None:
    done = metagen("update", "--template", template, cwd=project)
    assert (done.status, done.out) == (0, ""), done.err
    assert done.err.startswith("done: ")
    assert git(project, "status", "--porcelain") == ""


def test_a_changed_spec_arrives_and_edits_stay(
    metagen: Callable, project: Path, template: Path
) -> None:
    edit(project / "spec.yaml", '"2M"', '"4M"')
    train = project / "code/small/train.py"
    train.write_text(train.read_text() + "\n# a line of mine\n")
    commit(project, "More parameters")
    before = (project / "code/small/config.py").read_text()
    done = metagen("update", project, "--template", template)
    assert done.status == 0, done.err
    assert (project / "code/small/config.py").read_text() != before
    assert train.read_text().endswith("# a line of mine\n")
    commit(project, "Update")
    again = metagen("update", project, "--template", template)
    assert again.status == 0, again.err
    assert git(project, "status", "--porcelain") == ""


def test_a_conflict_is_reported_and_fails(metagen: Callable, project: Path, template: Path) -> None:
    edit(project / "spec.yaml", '"2M"', '"4M"')
    edit(project / "code/small/config.py", r"(d_ff: int = )\d[\d_]*", r"\g<1>77")
    commit(project, "At cross purposes")
    done = metagen("update", project, "--template", template)
    assert (done.status, done.out) == (1, "")
    assert "error: code/small/config.py: conflict" in done.err
    assert "hint: " in done.err and "Traceback" not in done.err
    assert "<<<<<<<" in (project / "code/small/config.py").read_text()


def test_a_file_that_is_no_longer_asked_for_is_restored_and_reported(
    metagen: Callable, project: Path, template: Path
) -> None:
    (project / "spec.yaml").write_text(SPEC + 'outputs: {artifacts: ["pytorch_skeleton"]}\n')
    card = project / "docs/model_card.md"
    card.write_text(card.read_text() + "\nMine.\n")
    commit(project, "Fewer artifacts")
    done = metagen("update", project, "--template", template)
    assert "warning: docs/model_card.md: restored" in done.err
    assert card.read_text().endswith("\nMine.\n")
    assert not (project / "docs/data_card.md").exists()


def test_uncommitted_changes_are_refused(metagen: Callable, project: Path, template: Path) -> None:
    edit(project / "spec.yaml", '"2M"', '"4M"')
    before = {path: path.read_bytes() for path in project.rglob("*.*") if path.is_file()}
    done = metagen("update", project, "--template", template)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("error: ") and "Traceback" not in done.err
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_refused_spec_leaves_the_tree_untouched(
    metagen: Callable, project: Path, template: Path
) -> None:
    edit(project / "spec.yaml", '"2M"', '"2 bananas"')
    commit(project, "Fruit")
    done = metagen("update", project, "--template", template)
    assert (done.status, done.out) == (2, ""), done.err
    assert "constraints.parameter_budget.max" in done.err and "Traceback" not in done.err
    assert git(project, "status", "--porcelain") == ""
