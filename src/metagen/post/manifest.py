"""The record of what was rendered, so that no update can delete what somebody has edited.

Copier deletes a file whose template is gone or renamed, or that an answer no longer asks for, and
it does so even when the file was edited. The manifest, `.metagen-manifest.json`, holds the hash of
every file as rendered: a file that an update deletes is brought back unless it was exactly that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .git import Git

NAME = ".metagen-manifest.json"


@dataclass(frozen=True)
class Manifest:
    """Hashes of the files as rendered, and the record of the drawn figures."""

    files: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


def digest(content: bytes) -> str:
    """The hash that the manifest records."""
    return hashlib.sha256(content).hexdigest()


def read(project: Path) -> Manifest:
    """The manifest of `project`; an absent or unreadable one is empty, so that nothing is lost."""
    try:
        document = json.loads((project / NAME).read_text(encoding="utf-8"))
        return Manifest(dict(document["files"]), dict(document["figures"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Manifest()


def write(project: Path, manifest: Manifest) -> None:
    """Write the manifest, sorted."""
    document = {"files": manifest.files, "figures": manifest.figures}
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    (project / NAME).write_text(text + "\n", encoding="utf-8", newline="\n")


def reconcile(
    project: Path,
    known: Mapping[str, str],
    git: Git,
    template: Path,
    answers_file: str,
    drawn: Collection[str] = (),
) -> tuple[dict[str, str], list[str]]:
    """Bring edited files back that Copier deleted; return the new record and what came back.

    Copier overwrites edited binary files, and damages edits that are not UTF-8: such a file counts
    as deleted when it differs from HEAD.
    A file's hash moves on only if the file was as rendered at HEAD; the hash of an edited file
    stays behind, and so does that of a file which its owner deleted, lest it come back to life
    unprotected. Figures (`drawn`) have a record of their own.
    """
    exempt = {NAME, answers_file, "spec.yaml"}
    deleted = set(git.deleted())
    modified = set(git.modified()) - deleted
    before = git.committed({*known, *deleted, *modified})
    untouched = {path for path in known if path in before and digest(before[path]) == known[path]}
    at_risk = modified & before.keys() - {*drawn}
    overwritten = {path for path in at_risk if not _merges(before[path])}
    restored = sorted((deleted | overwritten) & before.keys() - untouched - exempt)
    git.restore(restored)

    files = {}
    for path, rendered in known.items():
        target = project / path
        if path in restored or (path in deleted and path in untouched):
            continue
        moves_on = path in untouched or path not in before
        files[path] = digest(target.read_bytes()) if moves_on and target.is_file() else rendered
    for path in _new_files(project, git, template):
        if path not in files and path not in exempt:
            files[path] = digest((project / path).read_bytes())
    return files, restored


def _merges(content: bytes) -> bool:
    """Whether `content` is text for Git, which looks for a zero byte, and for Copier, UTF-8."""
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _new_files(project: Path, git: Git, template: Path) -> Iterator[str]:
    """What was just rendered for the first time, among the names that the template uses."""
    names = {path.name.removesuffix(".jinja") for path in template.iterdir()}
    found = git.untracked() if git.has_head else _walk(project, names)
    return (path for path in found if path.split("/")[0] in names)


def _walk(project: Path, names: Iterable[str]) -> Iterator[str]:
    for name in sorted(names):
        top = project / name
        for path in [top, *top.rglob("*")] if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(project).as_posix()
