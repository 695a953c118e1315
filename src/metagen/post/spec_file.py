"""`spec.yaml` belongs to its author: only blocks that the recorded answers changed are touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..answers import stated_in
from ..specs.errors import SpecError
from ..specs.reader import read_document
from ..specs.upgrades import FIELD, messages
from ..utils.filters import FILTERS

HEADER = "# The specification of this model: yours to edit. Commit, then run `make update`.\n"


def upgrades(document: Path) -> tuple[str, ...]:
    """What the author of a `document` of a former version of MSL should know."""
    text = document.read_bytes().decode("utf-8-sig") if document.is_file() else ""
    return tuple(messages((_read(text) or {}).get(FIELD)))


def follow(document: Path, answers_file: Path) -> bool:
    """Let `document` state what the answers record; True if it had to change."""
    recorded = read_document(answers_file.read_text(encoding="utf-8"), answers_file.name)
    stated = stated_in(recorded.data)
    text = document.read_bytes().decode("utf-8-sig") if document.is_file() else ""
    changed = rewrite(text, stated)
    if changed == text:
        return False
    document.write_text(changed, encoding="utf-8", newline="")
    return True


def rewrite(text: str, stated: Mapping[str, Any]) -> str:
    """`text` stating `stated`, with comments and wording kept in every block that already does."""
    current = _read(text)
    if current == stated:
        return text
    edited = _replace_blocks(text, current, stated) if current else ""
    return edited if _read(edited) == stated else HEADER + _dump(stated)


def _read(text: str) -> dict[str, Any] | None:
    """What a document states, or None; `$schema` is for editors and states nothing."""
    try:
        document = read_document(text, "spec.yaml")
    except SpecError:
        return None
    return None if document.problems else {k: v for k, v in document.data.items() if k != "$schema"}


def _dump(stated: Mapping[str, Any]) -> str:
    return FILTERS["yaml"](dict(stated)) + "\n"


def _replace_blocks(text: str, current: Mapping[str, Any], stated: Mapping[str, Any]) -> str:
    """`text` with changed blocks written anew, vanished ones removed, new ones at the end.

    A block reaches from its key to the last line of its value, so that comments between blocks
    stay. Text that is not in block style comes out mangled, which the caller notices.
    """
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for key, value in reversed(root.value):
        name = key.value
        if name == "$schema" or (name in stated and current[name] == stated[name]):
            continue
        first, last = key.start_mark.line, _last_line(value)
        block = _dump({name: stated[name]}) if name in stated else ""
        lines[first : last + 1] = block.replace("\n", ending).splitlines(keepends=True)
    added = {name: value for name, value in stated.items() if name not in current}
    if added:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += ending
        lines.append(_dump(added).replace("\n", ending))
    return "".join(lines)


def _last_line(node: yaml.Node) -> int:
    """The line that a value ends on; block collections end where their last item does."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    end = node.end_mark
    return end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line
