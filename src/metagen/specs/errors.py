"""What is wrong with a specification, and how the terminal says it."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

_SHOWN = 60

#: Control characters, lone surrogates, non-characters, line separators, and what reorders text.
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a specification.

    `path` names the field (`constraints.parameter_budget.max`, `modality.inputs[1]`) and is empty
    for the document as a whole; `suggestion` is the likely intent, unquoted; `line` and
    `column` count from 1 and are None where the document did not come from text.
    """

    path: str
    message: str
    allowed: str | None = None
    suggestion: str | None = None
    line: int | None = None
    column: int | None = None


class SpecError(ValueError):
    """A specification is refused: every problem found in it, in the order of the document."""

    def __init__(self, problems: Iterable[Problem], source: str = "spec") -> None:
        """Order `problems` by position; `source` is the file they are in."""
        end = math.inf
        ordered = sorted(problems, key=lambda p: (p.line or end, p.column or end))
        self.problems: tuple[Problem, ...] = tuple(ordered)
        self.source = source
        super().__init__(self.problems, source)

    def __str__(self) -> str:
        """Render every problem, uncoloured, with one closing hint on where to look."""
        lines = [line for problem in self.problems for line in _lines(problem, self.source)]
        hint = _hint(self.problems)
        return "\n".join([*lines, hint] if hint else lines)


class FieldError(ValueError):
    """A value that a field refuses, before anyone knows where the field is."""

    def __init__(
        self, message: str, allowed: str | None = None, suggestion: str | None = None
    ) -> None:
        """Keep the parts of the later `Problem`."""
        super().__init__(message)
        self.message, self.allowed, self.suggestion = message, allowed, suggestion


def show(value: object) -> str:
    """Write a found value as the author would recognise it, on one short line."""
    if isinstance(value, str):
        return visible(json.dumps(_shorten(value), ensure_ascii=False))
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**_SHOWN else "a very large number"
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else repr(value)
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple | set | frozenset):
        return "a list" if value else "an empty list"
    return f"a {type(value).__name__}"


def visible(text: str) -> str:
    """Escape what a terminal would obey or hide."""
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def closest(word: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the candidate that `word` most likely meant, or None."""
    if len(word) > _SHOWN:
        return None
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    folded = word.casefold()
    found = difflib.get_close_matches(folded, by_folded, cutoff=cutoff)
    swapped = [each for each in found if sorted(each) == sorted(folded)]  # the commonest slip
    return by_folded[(swapped or found)[0]] if found else None


def dotted(location: Iterable[str | int]) -> str:
    """Write a location as a field path: `('modality', 'inputs', 0)` is `modality.inputs[0]`."""
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return visible(path)


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _lines(problem: Problem, source: str) -> list[str]:
    place = visible(source)
    if problem.line:
        place += f":{problem.line}:{problem.column}"
    what = f"{problem.path}: {problem.message}" if problem.path else problem.message
    gap = "  " if problem.path or problem.line else ": "
    lines = [f"error: {place}{gap}{visible(what)}"]
    if problem.allowed:
        lines.append(f"  allowed: {visible(problem.allowed)}")
    if problem.suggestion:
        lines.append(f'hint: did you mean "{visible(problem.suggestion)}"?')
    return lines


def _hint(problems: tuple[Problem, ...]) -> str | None:
    """Say where the schema tells more: in one section, at the top, or in several places."""
    named = [p.path for p in problems if p.path and not p.path.startswith("--")]
    paths = [re.split(r"[.\[]", path, maxsplit=1) for path in named]
    sections = {path[0] for path in paths}
    if not paths:
        return None
    if all(len(path) == 1 for path in paths):
        return "hint: metagen schema | jq '.properties | keys'"
    if len(sections) == 1 and paths[0][0].isidentifier():
        return f"hint: metagen schema | jq '.properties.{sections.pop()}'"
    return "hint: metagen schema"
