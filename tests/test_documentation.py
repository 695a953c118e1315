"""The documentation: generated pages are current, and the site builds."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

import metagen

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = "docs/tutorials/custom_specs.md"


def test_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, f"run `make docs`\n{done.stdout}{done.stderr}"


def test_the_site_builds(tmp_path: Path) -> None:
    assert importlib.util.find_spec("mkdocs"), "install the docs extra"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    for page in ("index.html", "spec_language/index.html", "tutorials/first_synthesis/index.html"):
        assert (tmp_path / page).is_file()


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages == set(re.findall(r": ([\w/]+\.md)$", navigation, re.MULTILINE))


def test_latex_is_explained_for_three_systems() -> None:
    text = (ROOT / "docs" / "latex.md").read_text(encoding="utf-8")
    for word in ("Debian, Ubuntu", "apt-get install", "Fedora", "dnf install", "macOS", "brew"):
        assert word in text


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language on a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_python_of_the_readme_runs() -> None:
    (code,) = blocks("README.md", "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_specifications_of_the_tutorial_are_valid() -> None:
    least, *fragments = (yaml.safe_load(text) for text in blocks(TUTORIAL, "yaml"))
    stated = [fragment for fragment in fragments if fragment]
    assert len(stated) == 3
    for fragment in ({}, *stated):
        release = metagen.plan(metagen.load_spec(least | fragment))
        assert release.figures["total_params"].value > 0


def test_performance_was_measured() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (\d+\.\d\d) \|", text, re.MULTILINE)
    names = {name for name, _ in rows}
    assert {"`import copier`", "`metagen --help`", "`metagen validate`"} <= names
    assert len(rows) == 6
