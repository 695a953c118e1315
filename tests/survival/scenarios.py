"""Random lives of a repository: what its author edits, how the model changes, and what must hold.

Every random choice comes from the scenario's own `random.Random`; equal seeds are equal lives.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import yaml

Tree = Mapping[str, bytes]

TEXT = {
    "metagen_version": "1.0",
    "name": "small talk",
    "modality": {"inputs": ["text"], "outputs": ["text"]},
    "constraints": {"parameter_budget": {"max": "5M"}, "context_window": "2k"},
    "outputs": {"artifacts": ["pytorch_skeleton", "training_recipe", "model_card"]},
}
TABLE = TEXT | {
    "name": "small table",
    "modality": {"inputs": ["tabular"], "outputs": ["label"]},
    "constraints": {"parameter_budget": {"max": "1M"}},
}
BASES = {"text": TEXT, "table": TABLE}

MORE = ["pytorch_skeleton", "training_recipe", "benchmark_report", "model_card"]
"""In the order of the choices: Copier puts answers into it, and the order of a list is stated."""

CHANGES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "budget": (
        {"constraints": {"parameter_budget": {"max": "700k"}}},
        {"q_parameter_budget": "700k"},
    ),
    "device": ({"constraints": {"device": "cpu"}}, {"q_device": "cpu"}),
    "name": ({"name": "other words"}, {"q_name": "other words"}),
    "description": ({"description": "It does."}, {"q_description": "It does."}),
    "fewer": (
        {"outputs": {"artifacts": ["pytorch_skeleton", "training_recipe"]}},
        {"q_artifacts": ["pytorch_skeleton", "training_recipe"]},
    ),
    "more": (
        {"outputs": {"artifacts": MORE}},
        {"q_artifacts": MORE},
    ),
    "code only": (
        {"outputs": {"artifacts": ["pytorch_skeleton"]}},
        {"q_artifacts": ["pytorch_skeleton"]},
    ),
}
"""Changes of a specification: what they state, and the answers that state the same."""

DOORS = ("spec.yaml", "metagen update", "data file", "answers")
OWNED = ("spec.yaml", ".copier-answers.yml", ".metagen-manifest.json", "docs/figures/pipeline.svg")
"""Files with rules of their own: compared elsewhere, and left alone by random edits."""

NEAR = 3  # lines: what Git takes for the context of a change


def changed(document: Mapping[str, Any], change: str) -> dict[str, Any]:
    """`document` after `change`; the fields of a section are replaced one by one."""
    stated = dict(document)
    for key, value in CHANGES[change][0].items():
        stated[key] = {**stated.get(key, {}), **value} if isinstance(value, dict) else value
    return stated


@dataclass
class Counts:
    """What happened in scenarios, to be added up."""

    scenarios: int = 0
    edits: int = 0
    edited_files: int = 0
    conflicts: int = 0
    restored: int = 0
    near_edits: int = 0
    near_conflicts: int = 0
    away_edits: int = 0
    away_conflicts: int = 0
    broken_promises: int = 0


@dataclass
class Author:
    """Somebody who edits a repository; `marked` are the lines that can be found again."""

    root: Path
    rng: random.Random
    edits: int = 0
    marked: list[tuple[str, str, int]] = field(default_factory=list)

    def work(self, times: int) -> None:
        """Make `times` random edits."""
        for _ in range(times):
            self.rng.choices(tuple(KINDS), weights=tuple(KINDS.values()))[0](self)
            self.edits += 1

    def _file(self, suffixes: tuple[str, ...] = ()) -> Path:
        """Some text file of the repository that has lines."""
        found = [
            path
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
            and not path.is_symlink()
            and ".git" not in path.relative_to(self.root).parts
            and path.relative_to(self.root).as_posix() not in OWNED
            and (not suffixes or path.suffix in suffixes)
            and _lines(path.read_bytes())
        ]
        return self.rng.choice(found)

    def _mark(self) -> str:
        return f"mine {self.rng.getrandbits(48):012x}"

    def _edit(self, path: Path, replace: Callable[[bytes, bytes], bytes]) -> None:
        """Replace one line by what `replace(line, mark)` makes of it."""
        lines = _lines(path.read_bytes())
        at = self.rng.randrange(len(lines))
        mark = self._mark()
        lines[at] = replace(lines[at], mark.encode())
        path.write_bytes(b"".join(lines))
        if mark.encode() in lines[at]:
            self.marked.append((path.relative_to(self.root).as_posix(), mark, at))

    def add_line(self) -> None:
        self._edit(self._file(), lambda line, mark: b"# " + mark + b"\n" + line)

    def change_line(self) -> None:
        self._edit(self._file(), lambda line, mark: line.rstrip(b"\r\n") + b"  # " + mark + b"\n")

    def odd_bytes(self) -> None:
        """A line in an encoding of the past."""
        self._edit(self._file(), lambda line, mark: "# größer ".encode("latin-1") + mark + b"\n")

    def delete_line(self) -> None:
        self._edit(self._file(), lambda line, mark: b"")

    def append(self) -> None:
        path = self._file()
        path.write_bytes(path.read_bytes() + f"\n# {self._mark()}\n".encode())

    def rename_function(self) -> None:
        """A refactoring: one name, wherever it is used."""
        path = self._file((".py",))
        source = path.read_text(encoding="utf-8", errors="replace")
        names = re.findall(r"^\s*def ([a-z]\w+)\(", source, re.MULTILINE)
        if names:
            name = re.compile(rf"\b{self.rng.choice(names)}\b".encode())
            for each in sorted(self.root.rglob("*.py")):
                each.write_bytes(name.sub(b"renamed_by_me", each.read_bytes()))

    def reformat(self) -> None:
        """Whole files: other indentation, other line endings, no newline at the end."""
        path = self._file()
        text = path.read_bytes()
        styles = (
            text.replace(b"    ", b"  "),
            text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
            text.rstrip(b"\n"),
            text.replace(b'"', b"'"),
        )
        path.write_bytes(self.rng.choice(styles))

    def own_file(self) -> None:
        """Files that the template knows nothing of, in names and bytes that are not plain."""
        names = ("notes.md", "code/mine.py", "docs/ünï cödé.txt", 'data/a "b".csv', "CHANGELOG.md")
        contents = (b"mine\n", "Größe\n".encode("latin-1"), bytes(range(256)), b"no newline", b"")
        path = self.root / self.rng.choice(names)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(self._mark().encode() + b"\n" + self.rng.choice(contents))

    def delete_file(self) -> None:
        self._file().unlink()

    def move_file(self) -> None:
        path = self._file()
        path.rename(path.with_name(f"moved_{path.name}"))


KINDS: Mapping[Callable[[Author], None], int] = {
    Author.add_line: 6,
    Author.change_line: 6,
    Author.delete_line: 3,
    Author.append: 2,
    Author.odd_bytes: 1,
    Author.rename_function: 1,
    Author.reformat: 1,
    Author.own_file: 2,
    Author.delete_file: 1,
    Author.move_file: 1,
}
"""What authors do, and how often."""


def in_own_words(document: Mapping[str, Any], rng: random.Random) -> str:
    """`document` as somebody would write it: comments between the blocks, a style of their own."""
    blocks = []
    for key, value in document.items():
        style = {"width": rng.choice((40, 100)), "allow_unicode": True, "sort_keys": False}
        block = yaml.safe_dump({key: value}, **style)
        if isinstance(value, dict) and rng.random() < 0.5:
            block = f"{key}: {json.dumps(value, ensure_ascii=False)}\n"
        comment = f"# about {key}: {rng.getrandbits(32):08x}\n" if rng.random() < 0.5 else ""
        blocks.append(comment + block)
    return rng.choice(("", "# mine\n\n")) + rng.choice(("", "\n")).join(blocks)


def compare(
    old: Tree, mine: Tree, new: Tree, result: Tree, conflicts: tuple[str, ...], scratch: Path
) -> list[str]:
    """What of the promises about every file does not hold; see the clauses.

    `old` and `new` are fresh copies before and after the change, `mine` is what the author had
    committed, `result` what the update left.
    """
    wrong = []
    for path in sorted((old.keys() | mine.keys() | new.keys() | result.keys()) - set(OWNED)):
        before, edited, fresh, found = (tree.get(path) for tree in (old, mine, new, result))
        if path in conflicts:
            if missing := lost(before, edited, found):
                wrong.append(f"{path}: conflict without {missing}")
            if found is None or b"<<<<<<<" not in found:
                wrong.append(f"{path}: a conflict that the file does not show")
        elif edited == before:
            if found != fresh:
                wrong.append(f"{path}: not edited, and not as in a fresh copy")
        elif edited is None or fresh in (None, before):
            if found != edited:
                wrong.append(f"{path}: edited, unchanged by the update, and not as it was")
        elif not is_text(edited) and found == edited:
            continue  # brought back whole: neither Git nor Copier merges it
        elif missing := lost(before, edited, found):
            wrong.append(f"{path}: merged without {missing}")
        else:
            merged = three_way(edited, before or b"", fresh, scratch)
            if merged is not None and found != merged:
                wrong.append(f"{path}: not what Git makes of the three versions")
    return wrong


def is_text(content: bytes) -> bool:
    """Whether a file can be merged: UTF-8 without zero bytes."""
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False


def lost(before: bytes | None, edited: bytes | None, found: bytes | None) -> list[bytes]:
    """Lines that the author wrote and `found` does not have."""
    written = Counter(_lines(edited)) - Counter(_lines(before))
    here = Counter(line.rstrip(b"\r\n") for line in _lines(found))
    return [line for line in written if not here[line.rstrip(b"\r\n")]]


def three_way(mine: bytes, before: bytes, fresh: bytes, scratch: Path) -> bytes | None:
    """Git's merge of three versions of one file, or None where they conflict."""
    paths = []
    for name, content in (("mine", mine), ("before", before), ("fresh", fresh)):
        paths.append(scratch / name)
        paths[-1].write_bytes(content)
    done = subprocess.run(["git", "merge-file", "-p", *paths], capture_output=True)
    return done.stdout if done.returncode == 0 else None


def distance(before: bytes, fresh: bytes, at: int) -> float:
    """How many lines stand between line `at` of `before` and what `fresh` changes; inf: nothing."""
    matcher = SequenceMatcher(None, _lines(before), _lines(fresh), autojunk=False)
    gaps = [
        max(start - at, at - end + 1, 0)
        for tag, start, end, _, _ in matcher.get_opcodes()
        if tag != "equal"
    ]
    return min(gaps, default=float("inf"))


def in_conflict(text: bytes, mark: str) -> bool:
    """Whether `mark` stands between conflict markers."""
    regions = re.findall(rb"^<{7}.*?^>{7}", text, re.MULTILINE | re.DOTALL)
    return any(mark.encode() in region for region in regions)


def resolved(text: bytes) -> bytes:
    """A conflicted file with both sides kept."""
    return re.sub(rb"^(<{7} .*|={7}|>{7} .*)\r?\n", b"", text, flags=re.MULTILINE)


def _lines(text: bytes | None) -> list[bytes]:
    return (text or b"").splitlines(keepends=True)
