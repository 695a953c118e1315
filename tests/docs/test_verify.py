"""`make verify`: every figure that the generator wrote is checked, and nobody's words are."""

from __future__ import annotations

import importlib.util
import random
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from metagen import synthesize
from metagen.specs.loader import examples

from . import marks

SOME = ("edge_tiny_agent", "image_diffusion_sdxl_like", "rl_agent_ppo", "taste_generation")
SAMPLE = 60
"""Digits that are changed in each kind of file, by default."""


@pytest.fixture(
    scope="module",
    params=[
        *SOME,
        *(pytest.param(name, marks=pytest.mark.full) for name in examples() if name not in SOME),
    ],
)
def repository(request, tmp_path_factory):
    """A generated repository, and its own `verify` module."""
    made = synthesize(request.param, tmp_path_factory.mktemp("made") / "repository").path
    return made, load_verify(made)


def load_verify(root: Path):
    """The module `verify` of a repository's package, under a name of its own."""
    package = next((root / "code").glob("*/verify.py")).parent
    name = f"verified_{root.parent.name}"
    whole = importlib.util.spec_from_file_location(
        name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    sys.modules[name] = importlib.util.module_from_spec(whole)
    whole.loader.exec_module(sys.modules[name])
    return importlib.import_module(f"{name}.verify")


def problems_of(repository) -> list[str]:
    """What `verify` says without the model."""
    root, verify = repository
    verify.CHECKS.pop("tensors of the model", None)
    return verify.verify(root)


def digits(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Positions of the digits of `text` within `spans`."""
    for start, end in spans:
        yield from (m.start() for m in re.compile("[0-9]").finditer(text, start, end))


def assert_changes_are_found(repository, places: list[tuple[Path, int]], request) -> None:
    """Change one digit after another; `verify` names file and line each time.

    By default a sample of the `places` is tried, in the full run ten times as many.
    """
    root, _ = repository
    chance = random.Random(1)
    most = SAMPLE * (10 if request.config.option.markexpr == "full" else 1)
    for path, at in chance.sample(places, min(most, len(places))):
        text = path.read_text(encoding="utf-8")
        changed = str((int(text[at]) + chance.randint(1, 9)) % 10)
        path.write_text(text[:at] + changed + text[at + 1 :], encoding="utf-8")
        try:
            found = {problem.partition(": ")[0] for problem in problems_of(repository)}
        finally:
            path.write_text(text, encoding="utf-8")
        where = f"{path.relative_to(root).as_posix()}:{text.count(chr(10), 0, at) + 1}"
        assert where in found, (where, text[max(0, at - 40) : at + 40], found)


def data_files(root: Path) -> list[Path]:
    """What the seal holds checksums of."""
    return [
        root / "spec_resolved.yaml",
        root / "docs/summary.json",
        root / "logs/metagen.log",
        root / "paper/specification.tex",
        root / "paper/modules.tex",
        *sorted({*root.glob("blueprint/*.json"), *root.glob("blueprint/*.yaml")}
                - {root / "blueprint/state_dict.json", root / "blueprint/seal.json"}),
    ]  # fmt: skip


def test_nothing_is_wrong_at_first(repository):
    assert problems_of(repository) == []


def test_any_digit_of_the_data_is_missed_when_it_changes(repository, request):
    places = []
    for path in data_files(repository[0]):
        text = path.read_text(encoding="utf-8")
        spans = [
            m.span()
            for m in re.finditer(
                r'(?m)^(?!(\\listline.0..|\s*"?)(description|spec_id)"?:|metagen ).*$', text
            )
        ]
        places += [(path, at) for at in digits(text, spans)]
    assert len({path for path, _ in places}) >= 12
    assert_changes_are_found(repository, places, request)


def test_any_marked_digit_is_missed_when_it_changes(repository, request):
    root, verify = repository
    texts, places = verify.read_ledger(root), []
    for path in marks.pages(root):
        page = path.read_text(encoding="utf-8")
        places += [(path, at) for at in digits(page, marks.spans(page, texts))]
    assert_changes_are_found(repository, places, request)


def test_any_digit_of_the_papers_figures_is_missed_when_it_changes(repository, request):
    root, verify = repository
    path = root / "paper/ledger.tex"
    page = path.read_text(encoding="utf-8")
    spans = [definition.span(2) for definition in verify.DEFINITION.finditer(page)]
    places = [(path, at) for at in digits(page, spans)]
    assert_changes_are_found(repository, places, request)


def test_an_owner_may_write(repository):
    """Words changed around figures, and figures of their own, are not the generator's."""
    root, _ = repository
    page = root / "README.md"
    text = page.read_text(encoding="utf-8")
    mine = text.replace("## Blueprint", "## Blueprint of 3 sheets\n\nWe ran it 17 times on 2 GPUs.")
    assert mine != text
    lines = (x if x.startswith("|") else x.replace(" the ", " that ") for x in mine.split("\n"))
    page.write_text("\n".join(lines), encoding="utf-8")
    config = next(root.glob("code/*/config.py"))
    code = config.read_text(encoding="utf-8")
    other = re.sub(r"steps: int = \d+", "steps: int = 3", code, count=1)
    assert other != code
    config.write_text(other, encoding="utf-8")
    try:
        assert problems_of(repository) == []
    finally:
        page.write_text(text, encoding="utf-8")
        config.write_text(code, encoding="utf-8")
