"""Imports of generated modules: read off their text, merged, and ordered as isort has them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping

_IMPORT = re.compile(r"^(?:from (\S+) )?import (\([^)]*\)|[^(\n]*)$", re.MULTILINE)
_MEMBER = re.compile(r"([\w.]+)(?: as (\w+))?")

_Members = set[tuple[str, str]]


def imported(source: str) -> Iterator[tuple[str, _Members]]:
    """`(module, members)` of every import at the head of a line; the module of a plain one is "".

    A member is its name and its alias, "" where it keeps its name.
    """
    for module, listed in _IMPORT.findall(source):
        yield module, set(_MEMBER.findall(listed))


def imported_siblings(source: str) -> Iterator[tuple[str, set[str]]]:
    """`(module, names)` of every import from a module of the same package."""
    for module, members in imported(source):
        if re.match(r"\.\w", module):
            yield module[1:], {name for name, _ in members}


def merged_imports(
    sources: Iterable[str], names: set[str], internal: set[str], homes: Mapping[str, str]
) -> str:
    """The imports of some `sources` that `names` need, merged and in order.

    Those from the `internal` modules of the package are left out; `homes` maps the others to the
    files that hold them.
    """
    members: dict[str, _Members] = {}
    for source in sources:
        for module, found in imported(source):
            sibling = module.lstrip(".") if module.startswith(".") else ""
            if sibling not in internal:
                origin = f".{homes[sibling]}" if sibling in homes else module
                wanted = {m for m in found if origin == "__future__" or _bound(*m, origin) in names}
                members.setdefault(origin, set()).update(wanted)
    sections: dict[int, list[str]] = {0: [], 1: [], 2: [], 3: []}
    for name, alias in sorted(members.pop("", ()), key=lambda member: member[0].lower()):
        sections[_section(name)].append(f"import {name}{f' as {alias}' if alias else ''}\n")
    for origin in sorted((o for o, found in members.items() if found), key=str.lower):
        sections[_section(origin)].append(_line(origin, members[origin]))
    return "\n".join("".join(lines) for lines in sections.values() if lines)


def _bound(name: str, alias: str, origin: str) -> str:
    """The name that an import gives to its member."""
    return alias or (name if origin else name.partition(".")[0])


def _line(origin: str, members: _Members) -> str:
    listed = sorted(members, key=lambda m: (_rank(m[0]), m[0].lower()))
    items = [f"{name} as {alias}" if alias else name for name, alias in listed]
    line = f"from {origin} import {', '.join(items)}\n"
    if len(line) > 101:
        line = f"from {origin} import (\n" + "".join(f"    {item},\n" for item in items) + ")\n"
    return line


def _section(origin: str) -> int:
    if origin == "__future__":
        return 0
    if origin.startswith((".", "PACKAGE")):  # the generated package, whatever its name will be
        return 3
    return 1 if origin.partition(".")[0] in sys.stdlib_module_names else 2


def _rank(name: str) -> int:
    return 0 if name.isupper() else 1 if name[0].isupper() else 2
