"""The update laboratory: random edits, random changes, and the promises of an update.

A seed is a life: a repository is made, its author edits it, the specification changes through one
of the doors, the template may move on, and the update is judged file by file.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from metagen import scaffold

from ..template.conftest import TAG, commit, git, start
from .conftest import NEXT, update
from .scenarios import (
    BASES,
    CHANGES,
    DOORS,
    NEAR,
    Author,
    Counts,
    changed,
    compare,
    distance,
    in_conflict,
    in_own_words,
    resolved,
)  # fmt: skip

QUICK, ALL = 10, 200
SEEDS = [
    *range(QUICK),
    *(pytest.param(seed, marks=pytest.mark.full) for seed in range(QUICK, ALL)),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_life(seed, versions, fresh, tree, tmp_path, count):
    rng = random.Random(f"life {seed}")
    base = "table" if seed % 5 == 4 else "text"
    change = list(CHANGES)[seed % len(CHANGES)]
    door = DOORS[rng.randrange(len(DOORS))]
    upgrade = rng.random() < 0.5

    origin = fresh(base)
    project = start(Path(shutil.copytree(origin, tmp_path / "project")), versions.path)
    author = Author(project.path, rng)
    author.work(rng.randint(1, 12))
    edited = door in ("spec.yaml", "metagen update")
    document = in_own_words(changed(BASES[base], change) if edited else BASES[base], rng)
    project.write("spec.yaml", document)
    commit(project.path)
    mine = tree(project.path)

    if door == "metagen update":
        report = scaffold.update(project.path, upgrade=upgrade)
        reported = report.conflicts
    else:
        kind = {"spec.yaml": (), "data file": stated(base, change), "answers": CHANGES[change][1]}
        update(project.path, dict(kind[door]), upgrade)
        reported = None
    result = tree(project.path)
    conflicts = tuple(
        sorted(filter(None, unquoted(project.path, "diff", "--name-only", "--diff-filter=U")))
    )
    assert reported in (None, conflicts), "metagen update lists what Git lists"

    old, new = tree(origin), tree(fresh(base, change, NEXT if upgrade else TAG))
    wrong = compare(old, mine, new, result, conflicts, tmp_path)

    counts = Counts(scenarios=1, edits=author.edits, conflicts=len(conflicts))
    counts.broken_promises = len(wrong)
    counts.edited_files = sum(
        1 for path in old.keys() | mine.keys() if old.get(path) != mine.get(path)
    )
    counts.restored = sum(1 for path in mine if path in old and path not in new and path in result)
    for path, mark, at in author.marked:
        if path not in old or path not in new or mark.encode() not in mine.get(path, b""):
            continue
        near = "near" if distance(old[path], new[path], at) <= NEAR else "away"
        hit = path in conflicts and in_conflict(result[path], mark)
        setattr(counts, f"{near}_edits", getattr(counts, f"{near}_edits") + 1)
        setattr(counts, f"{near}_conflicts", getattr(counts, f"{near}_conflicts") + hit)
    count(**asdict(counts))
    assert wrong == [], f"{base}, {change} by {door}, {'upgraded' if upgrade else 'same tag'}"
    check_document(result["spec.yaml"].decode(), document, changed(BASES[base], change), edited)

    for path in conflicts:
        project.path.joinpath(path).write_bytes(resolved(result[path]))
    for _ in range(1 + any(path.startswith("blueprint/") for path in conflicts)):
        if project.status():
            commit(project.path)
        update(project.path)  # figures follow a blueprint once its conflicts are resolved
    assert git(project.path, "status", "--porcelain") == "", git(project.path, "diff")


def stated(base: str, change: str) -> dict[str, object]:
    """The top-level keys of a data file that says what changes."""
    document = changed(BASES[base], change)
    return {key: document[key] for key in CHANGES[change][0]}


def unquoted(folder: Path, *arguments: str) -> list[str]:
    return git(folder, *arguments, "-z").split("\0")


def check_document(found: str, written: str, wanted: dict[str, object], edited: bool) -> None:
    """An edited document keeps every byte; another one says what was said, around its comments."""
    assert yaml.safe_load(found) == wanted
    if edited:
        assert found == written
    comments = [line for line in written.splitlines() if line.startswith("#")]
    assert [line for line in comments if line not in found.splitlines()] == []
