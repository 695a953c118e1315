"""The documentation: generated pages are current, and the site builds."""

from __future__ import annotations

import html
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
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


LINK = re.compile(r"(?<!`)\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
HERE = re.compile(r"https://github\.com/metagen/template(?:/(?:blob|tree)/main/([^#]*))?(?:#(.*))?")
OUTSIDE = (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md"))
PAGES = [*OUTSIDE, *sorted((ROOT / "docs").rglob("*.md"))]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs make them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", t).strip().lower().replace(" ", "-") for t in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Files and headings of this repository, from every page; mkdocs checks its own once more."""
    text = re.sub(r"```.*?```|`[^`\n]+`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in (a or b for a, b in LINK.findall(text)):
        if ours := HERE.fullmatch(link):
            path, anchor = ROOT / (ours[1] or "README.md"), ours[2]
        elif link.startswith(("https://", "mailto:")):
            continue
        else:
            place, _, anchor = link.partition("#")
            path = page.parent / place if place else page
        assert path.exists(), f"{link}: no such file"
        if anchor:
            assert anchor in anchors(path), f"{link}: no such heading"


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


def test_the_tutorial_has_a_specification_for_every_kind_of_model() -> None:
    """They are valid and become what the headings say; their commands are played elsewhere."""
    documents = [yaml.safe_load(text) for text in titled(TUTORIAL, "yaml")]
    wanted = {
        "murmur": "decoder_lm",
        "pocket": "decoder_lm",
        "tome": "decoder_lm",
        "lookout": "vit",
        "daub": "unet",
        "rapport": "dual_encoder",
        "hum": "codec_lm",
    }
    found = {}
    for document in documents:
        if document["name"] in wanted:
            release = metagen.plan(metagen.load_spec(document))
            found[document["name"]] = release.blueprint["architecture"]["topology"]
    assert found == wanted
    by_name = {document["name"]: document for document in documents}
    for name, change, topology in (
        ("lookout", {"architecture": {"family": "cnn"}}, "resnet"),
        ("hum", {"training": {"objective": ["diffusion"]}}, "audio_diffusion"),
    ):  # as the sentences below them say
        release = metagen.plan(metagen.load_spec(by_name[name] | change))
        assert release.blueprint["architecture"]["topology"] == topology


def titled(page: str, language: str) -> list[str]:
    """The fenced blocks of one language that are files."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language} title=.*?\n(.*?)```", text, re.DOTALL)


def test_the_pictures_of_the_readme_are_small_and_say_what_the_transcript_says() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = {ROOT / path for path in re.findall(r'src="(docs/[^"]+)"', text)}
    assert shown >= set((ROOT / "docs" / "assets").iterdir())
    assert all(path.stat().st_size < 200_000 for path in shown)
    svg = (ROOT / "docs" / "assets" / "demo.svg").read_text(encoding="utf-8")
    assert "http" not in re.sub(r'xmlns="[^"]*"|<!--.*?-->', "", svg)
    words = html.unescape(" ".join(re.findall(r">([^<>]+)</text>", svg))).split()
    transcript = (ROOT / "docs" / "transcripts" / "demo.txt").read_text(encoding="utf-8")
    for word in re.findall(r"[\w.†∞-]+", re.sub(r"outputs/.*", "", transcript)):
        assert any(word in shown for shown in words), word


def test_an_estimate_takes_less_than_a_second(metagen) -> None:
    """As README.md says."""
    assert metagen("estimate", "text_llm_8b").cpu < 1


def test_performance_was_measured() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (\d+\.\d\d) \|", text, re.MULTILINE)
    names = {name for name, _ in rows}
    assert {"`import copier`", "`metagen --help`", "`metagen validate`"} <= names
    assert len(rows) == 6
