"""What README and the tutorials tell people to type: it works, and prints what the page says.

The quick commands are played by `docs/generate.py --check` (tests/test_documentation.py); here are
the rules of all of them, and the slow ones.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from sessions import PAGES, blocks, figureless, played  # noqa: E402


def test_there_are_pages_and_every_block_says_what_becomes_of_it():
    assert {"README.md", "first_synthesis.md", "custom_specs.md"} <= {page.name for page in PAGES}
    for page in PAGES:
        console = [b for b in blocks(page.read_text(encoding="utf-8")) if b.language == "console"]
        assert console, page.name
        for block in console:
            assert block.mark, (page.name, block.text)
            assert block.commands, (page.name, block.text)
            if block.mark == "by hand":
                assert len(block.how.split()) >= 3, "by hand needs a reason"


def test_most_commands_are_played():
    found = [b for page in PAGES for b in blocks(page.read_text(encoding="utf-8")) if b.mark]
    by_hand = [command for b in found if b.mark == "by hand" for command in b.commands]
    run = [command for b in found if b.mark != "by hand" for command in b.commands]
    assert len(run) > 4 * len(by_hand)
    for command in by_hand:  # these, and nothing else, would fetch something
        assert command.startswith(("pip install", "uvx ", "git clone", "make ", "copier copy"))


def test_a_command_that_fails_fails_the_page(tmp_path):
    page = "<!-- played -->\n\n```console\n$ false\n```\n"
    with pytest.raises(RuntimeError, match="exits 1"):
        played(page, "page.md")
    refused = page.replace("played", "played, exits 1")
    assert played(refused, "page.md") == refused
    wrong = refused.replace("false", "echo two; false")
    assert "$ echo two; false\ntwo\n" in played(wrong, "page.md")


@pytest.mark.full
@pytest.mark.latex
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_slow_commands_work_and_print_what_was_recorded(page: Path):
    assert shutil.which("make")
    text = page.read_text(encoding="utf-8")
    before, after = blocks(text), blocks(played(text, page.name, slow=True))
    for old, new in zip(before, after, strict=True):
        if old.mark == "recorded" and "as it came" not in old.how:
            assert figureless(old.text) == figureless(new.text)
