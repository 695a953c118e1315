"""From what pydantic rejects to what an author can act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from .errors import FieldError, Problem, closest, dotted, show
from .schema import ModelSpec, Section, children, section_at

Location = tuple[str | int, ...]

#: Beyond this many unknown fields nobody reads suggestions, which are slow to find.
_SUGGESTIONS = 50

#: What pydantic appends to the location of a mapping's bad key.
_KEY = "[key]"


def diagnose(errors: list[dict[str, Any]]) -> Iterator[tuple[Location, bool, Problem]]:
    """Translate pydantic's errors; yields location, whether its key is at fault, and problem."""
    for index, error in enumerate(errors):
        location: Location = tuple(step for step in error["loc"] if step != _KEY)
        kind = error["type"]
        refused = error.get("ctx", {}).get("error")
        path = dotted(location)
        if isinstance(refused, FieldError):
            problem = Problem(path, refused.message, refused.allowed, refused.suggestion)
            yield location, _KEY in error["loc"], problem
        elif kind in ("extra_forbidden", "invalid_key"):
            yield location, True, _unknown(location, path, index < _SUGGESTIONS)
        elif kind == "missing":
            yield location, False, Problem(path, "is missing", _wanted(location))
        else:
            message = f"{show(error['input'])} is not a mapping"
            yield location, False, Problem(path, message, _mapping(location))


def _unknown(location: Location, path: str, suggest: bool) -> Problem:
    *parents, name = location
    parent = section_at(parents) or ModelSpec
    known = list(parent.model_fields)
    meant = None
    if suggest and isinstance(name, str):
        meant = _HOMES.get(name) or closest(name, known) or _elsewhere(name)
    return Problem(path, "unknown field", ", ".join(known), meant)


def _elsewhere(name: str) -> str | None:
    """Return the path of a field of this name in another section, if it is the only one."""
    near = closest(name, _HOMES, cutoff=0.8)
    return _HOMES[near] if near else None


def _homes(model: type[Section], path: str = "") -> Iterator[tuple[str, str]]:
    for name, section in children(model).items():
        here = f"{path}.{name}" if path else name
        if path:
            yield name, here
        if section and name != "components":
            yield from _homes(section, here)


def _only(homes: dict[str, str | None], home: tuple[str, str]) -> dict[str, str | None]:
    name, path = home
    return {**homes, name: None if name in homes else path}


_HOMES: Mapping[str, str] = {
    name: path for name, path in reduce(_only, _homes(ModelSpec), {}).items() if path
}


def _wanted(location: Location) -> str:
    """Say what a missing field would hold: every required one has an example."""
    if section_at(location):
        return _mapping(location)
    *parents, name = location
    [example, *_] = section_at(parents).model_fields[name].examples
    return f"such as {_example(example)}"


def _mapping(location: Location) -> str:
    held = section_at(location)
    return f"a mapping with {', '.join(held.model_fields)}" if held else "a mapping"


def _example(example: object) -> str:
    if isinstance(example, list):
        return f"[{', '.join(show(item) for item in example)}]"
    return show(example)
