"""Parts joined into one module, in dependency order, with nothing that it does not use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .imports import imported_siblings, merged_imports
from .statements import defined, is_import, names_in, statements

_SHARED = "Layers that several networks of this model have in common."


def join_parts(
    parts: Mapping[str, str], top: str | None, keep: tuple[str, ...], homes: Mapping[str, str]
) -> str:
    """One module from part sources, in dependency order, with nothing that `keep` does not reach.

    Args:
        parts: specialised sources by part name.
        top: the part whose docstring opens the module; None for parts that several files share.
        keep: the names that the module exports.
        homes: the generated file of every part, for imports from parts that live elsewhere.
    """
    order: list[str] = []
    for name in [top] if top else sorted(parts):
        _visit_dependencies(name, parts, order)
    chunks = [chunk for name in order for chunk in _chunks(parts[name])]
    reached = _reachable(chunks, keep)
    body = [chunk for chunk in chunks if not chunk.defines or chunk.defines & reached]
    used = set().union(*(chunk.uses for chunk in body))
    imports = merged_imports([parts[name] for name in order], used, set(parts), homes)
    docstring = statements(parts[top])[0].strip().strip('"') if top else _SHARED
    code = _separated(body)
    head = f'"""{_with_letters_of(code, docstring)}"""\n\n' if docstring else ""
    return head + imports + code


@dataclass(frozen=True)
class _Chunk:
    """One top-level statement with the comments above it."""

    text: str
    defines: frozenset[str]
    uses: set[str]
    is_block: bool


def _visit_dependencies(name: str, parts: Mapping[str, str], order: list[str]) -> None:
    if name not in order:
        for module, _ in imported_siblings(parts[name]):
            if module in parts:
                _visit_dependencies(module, parts, order)
        order.append(name)


def _chunks(source: str) -> Iterator[_Chunk]:
    for text in statements(source)[1:]:
        if not is_import(text):
            is_block = bool(re.search(r"^(?:class|def) ", text, re.MULTILINE))
            yield _Chunk(text.rstrip() + "\n", defined(text), names_in(text), is_block)


def _reachable(chunks: list[_Chunk], keep: tuple[str, ...]) -> set[str]:
    by_name = {name: chunk for chunk in chunks for name in chunk.defines}
    reached: set[str] = set()
    pending = [*keep, *(n for c in chunks if not c.defines for n in c.uses)]
    while pending:
        name = pending.pop()
        if name in by_name and name not in reached:
            reached.add(name)
            pending.extend(by_name[name].uses)
    return reached


def _separated(chunks: list[_Chunk]) -> str:
    text = ""
    previous: _Chunk | None = None
    for chunk in chunks:
        far = chunk.is_block or (previous is not None and previous.is_block)
        gap = "\n\n" if far else "\n" if previous is None else ""
        text += gap + chunk.text
        previous = chunk
    return text


# -- the legend of letters -------------------------------------------------------------------------

_LETTERS = re.compile(r"    (\w'?(?:, \w'?)*)  \S")
_LETTER = re.compile(r"(?<!\w)\w'?(?!\w)")
_SECOND = 37  # where a legend's second column begins


def _with_letters_of(code: str, docstring: str) -> str:
    """A docstring whose legend lists only letters that occur in the code below it."""
    lines = docstring.splitlines(keepends=True)
    rest = (line for line in lines if not _LETTERS.match(line))
    read = {letter for text in (code, *rest) for letter in _LETTER.findall(text)}
    return "".join(_legend_line(line, read) if _LETTERS.match(line) else line for line in lines)


def _legend_line(line: str, read: set[str]) -> str:
    """One line of a legend, of one entry or two, without those whose letters do not occur."""
    two = len(line) > _SECOND and line[_SECOND - 2 : _SECOND] == "  "
    entries = [line[4:_SECOND].rstrip(), line[_SECOND:].rstrip()] if two else [line[4:].rstrip()]
    kept = [entry for entry in entries if _is_needed(entry, read)]
    return f"    {kept[0]:<33}{''.join(kept[1:])}".rstrip() + "\n" if kept else ""


def _is_needed(entry: str, read: set[str]) -> bool:
    """Whether one of the letters that an entry of a legend explains is among those `read`."""
    declared = _LETTERS.match(f"    {entry}")
    letters = {*(declared[1].split(", ") if declared else ()), *re.findall(r"\b[A-Z]\b", entry)}
    return not declared or not read.isdisjoint(letters)
