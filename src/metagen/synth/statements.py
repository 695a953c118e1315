"""Modules of Python as their top-level statements, and the names in them, without parsing.

A syntax tree takes many times as long as the text that it comes from, so what only needs to know
where statements begin, and which names occur in them, reads that off formatted source.
"""

from __future__ import annotations

import re

_DOCSTRING = r'"""[\s\S]*?"""'
_DECORATED = r"(?:#.*\n)*(?:@.*\n(?:[ )\]}].*\n)*)*"
_BEGIN = re.compile(
    rf"{_DOCSTRING}|^{_DECORATED}(?!(?:else|elif|except|finally)\b)[^\W\d]", re.MULTILINE
)
_IMPORT = re.compile(r"(?:import|from) ")
_DEFINED = re.compile(r"^(?:(?:class|def) (\w+)|(\w+(?:, \w+)*)(?:: [^=\n]+)? = )", re.MULTILINE)
_STRING = r"""(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
#: What names no variable, and, as a group, strings that may: formatted ones and annotations.
_SILENT = re.compile(rf"{_DOCSTRING}|((?:f|-> |: ){_STRING})|{_STRING}|#.*")
_NAME = re.compile(r"(?<![.\w])(?<!def )(?<!class )[^\W\d]\w*(?!\w|=)")


def statements(source: str) -> list[str]:
    """The head of a module (its docstring), and its statements with comments and decorators.

    Joined, they are the module again: blank lines belong to what stands above them.
    """
    begins = [m.start() for m in _BEGIN.finditer(source) if not m[0].startswith('"')]
    bounds = [0, *begins, len(source)]
    return [source[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def is_import(statement: str) -> bool:
    """Whether a statement is an import."""
    return bool(_IMPORT.match(statement))


def defined(statement: str) -> frozenset[str]:
    """The names that a function, a class or the assignment of constants defines, else none."""
    found = _DEFINED.search(statement)
    return frozenset(re.findall(r"\w+", found[1] or found[2])) if found else frozenset()


def names_in(source: str) -> set[str]:
    """Names that some code reads or assigns: neither attributes, keywords, strings nor comments."""
    return set(_NAME.findall(_SILENT.sub(r"\1", source)))
