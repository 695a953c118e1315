"""Which digits of a generated page are figures, and which belong to names."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import yaml

from metagen.synth.published import PUBLISHED
from metagen.synth.words import title

NAMES = re.compile(
    r"""(?x)
      `[^`]*` | \]\([^)]*\)                         # code and links
    | [A-Z]\w*-Fidelity@\d+ | Novelty-Per-Parameter\ \(1/B\)
    | \b(?:[Aa]pache-2\.0 | GPT-4\w* | et\ al\.,\ \d{4} | R² | 3[Dd] | Mamba-2)
    | \w+@\d+ | \btop-\d | \bmacro-F1 | \bat\ 0\.5 | ^model_name:.*   # metrics; the name as a slug
    | \bMetaGen\ [\d.]+ | ^\d\.\ \*\*                # its version; clauses of the model license
    | \bbatch\ 1\b | \b0\ to\ 100\b | \b95\ %        # what quantities are taken at, and scales
    """
)
"""Digits of Markdown that are no figures of a release."""


def pages(root: Path) -> list[Path]:
    """The Markdown files of a repository."""
    return [*sorted(root.glob("*.md")), *sorted(root.glob("docs/*.md"))]


def spans(page: str, texts: dict[str, str]) -> list[tuple[int, int]]:
    """Where the marked figures of a page stand."""
    found = []
    for mark in re.finditer(r"<!--=([\w.]+)-->", page):
        text = texts[mark[1]]
        start = mark.start()
        while squeezed(page[start : mark.start()]) != text:
            start -= 1
        found.append((start, mark.start()))
    return found


def squeezed(text: str) -> str:
    """Markdown's characters as they are read."""
    return html.unescape(re.sub(r"\\(\W)", r"\1", text))


def without_marked(line: str, texts: dict[str, str]) -> str:
    """A line without its marked figures and their marks."""
    for start, end in reversed(spans(line, texts)):
        line = line[:start] + line[end:].partition("-->")[2]
    return line


def own_words(root: Path) -> list[str]:
    """The author's own words with digits in them and published models' names, longest first."""
    spec = yaml.safe_load((root / "spec_resolved.yaml").read_text(encoding="utf-8"))
    data = spec["training"]["data"]
    words = [spec["name"], title(spec["name"]), spec["description"], data["size"],
             *data["sources"], *data["governance"].values(), *spec["evaluation"]["baselines"],
             *(c["name"] for c in spec["architecture"]["components"]),
             *(model["name"] for model in PUBLISHED)]  # fmt: skip
    return sorted(filter(re.compile("[0-9]").search, words), key=len, reverse=True)


def texts_of(root: Path) -> dict[str, str]:
    """What marks may say: figures, and how they were obtained."""
    path = root / "blueprint/ledger.json"
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"].items()
    methods = {f"{key}.method": figure["method"] for key, figure in figures}
    return {key: figure["text"] for key, figure in figures} | methods


def unmarked(root: Path) -> list[tuple[str, int, str]]:
    """Page, line and rest of lines with digits that are neither marked nor part of a name."""
    texts, own, found = texts_of(root), own_words(root), []
    for path in pages(root):
        for n, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            rest = without_marked(line, texts)
            for word in own:
                rest = rest.replace(word, "")
            if re.search("[0-9]", rest := NAMES.sub("", rest)):
                found.append((path.name, n, rest))
    return found


QUANTITY = re.compile(
    r"\d[\d.,]*(?:\s|~|\\,|-)?(?:[KMBT]|[kMGT]?B|[kMGTPEZY]?FLOPs|tok/s|fps|m?s|h|days|kWh|points)\b"
)
"""A number with the unit of a figure."""


def loose(root: Path) -> list[tuple[str, int, str]]:
    """Page, line and text of quantities in the paper's sentences that are not macros."""
    own, found = own_words(root), []
    for path in [root / "paper/main.tex", *sorted(root.glob("paper/sections/*.tex"))]:
        for n, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            rest = line.replace("\\_", "_")
            for word in own:
                rest = rest.replace(word, "")
            found += [(path.name, n, match[0]) for match in QUANTITY.finditer(rest)]
    return found
