"""Dimensions: what one is, and how pinned ones are read.

Every topology publishes a table of them. The names of language and state-space models are those
of published configurations; `architecture.dims` takes any name of the table and
`blueprint/architecture.yaml` states all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ..specs.errors import Problem


@dataclass(frozen=True)
class Dim:
    """One dimension or structural switch.

    Attributes:
        default: its value when neither pinned nor solved for; `None` if the solver finds it.
        doc: what it means, for the documentation and for `config.py`.
        choices: the allowed words of a switch.
        low, high: the closed range of a number.
        switch: whether generated code is specialised on it instead of reading it from `Config`.
        kind: `int`, `float`, `bool`, `str`, or `list` (of whole numbers).
    """

    default: Any
    doc: str
    choices: tuple[str, ...] = ()
    low: float = 1
    high: float = 2**24
    switch: bool = False
    kind: str = "int"


def number(default: Any, doc: str, low: float = 1, high: float = 2**24, **extra: Any) -> Dim:
    """A whole number."""
    return Dim(default, doc, low=low, high=high, **extra)


def real(default: Any, doc: str, low: float = 0.0, high: float = 1e12, **extra: Any) -> Dim:
    """A real number."""
    return Dim(default, doc, low=low, high=high, kind="float", **extra)


def flag(default: bool | None, doc: str) -> Dim:
    """A yes-or-no switch."""
    return Dim(default, doc, switch=True, kind="bool")


def choice(default: str, doc: str, *choices: str) -> Dim:
    """A switch between words."""
    return Dim(default, doc, choices, switch=True, kind="str")


def text(doc: str, default: str = "") -> Dim:
    """A string, for settings."""
    return Dim(default, doc, kind="str")


def several(default: Any, doc: str, length: int, low: float = 1, high: float = 2**20) -> Dim:
    """A list of `length` whole numbers, such as one per stage."""
    return Dim(default, f"{doc} ({length} numbers)", low=low, high=high, kind="list")


#: Accepted and recorded, without effect: the class whose configuration the dims were taken from.
LABELS = ("arch",)


def read_pins(
    table: Mapping[str, Dim], aliases: Mapping[str, str], stated: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """The pinned dimensions under their own names, and everything wrong with them one by one."""
    pins: dict[str, Any] = {}
    problems: list[Problem] = []
    for written, value in _flattened(stated):
        name = aliases.get(last := written.rpartition(".")[2], last)
        path = f"architecture.dims.{written}"
        if name in LABELS or value is None:
            continue
        dim = table.get(name)
        if dim is None:
            near = get_close_matches(last, [*table, *aliases], n=1)
            problems.append(
                Problem(
                    path,
                    f'unknown dimension "{last}"',
                    allowed=", ".join(table),
                    suggestion=near[0] if near else None,
                )
            )
        elif error := _mismatch(name, dim, value):
            problems.append(Problem(path, f"{value!r} is not {error[0]}", allowed=error[1]))
        elif pins.setdefault(name, value) != value:
            problems.append(Problem(path, f"{value!r} contradicts {name}, which is {pins[name]!r}"))
    return pins, problems


def broken_rules(rules: Iterable[tuple[str, Any, str, str | None]]) -> list[Problem]:
    """The problems with pinned dimensions: of every rule a name, whether it is broken, what is
    wrong then, and what is allowed instead."""
    return [
        Problem(f"architecture.dims.{name}", message, allowed=allowed)
        for name, broken, message, allowed in rules
        if broken
    ]


def _flattened(stated: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted names and values; published configurations gather some in a mapping, as `moe`."""
    for name, value in stated.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", held) for inner, held in value.items())
        else:
            yield name, value


def _mismatch(name: str, dim: Dim, value: Any) -> tuple[str, str] | None:
    """What `value` fails to be, and what is allowed; None when it fits."""
    if dim.kind == "bool":
        return None if isinstance(value, bool) else ("true or false", "true, false")
    if dim.choices:
        allowed = ", ".join(dim.choices)
        return None if value in dim.choices else (f"a {name.replace('_', ' ')}", allowed)
    values = value if dim.kind == "list" and isinstance(value, list | tuple) else [value]
    number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    whole = number and (dim.kind == "float" or all(float(v).is_integer() for v in values))
    if not whole or not all(dim.low <= v <= dim.high for v in values):
        kind = "a number" if dim.kind == "float" else "a whole number"
        return kind + " in range", f"{kind} from {dim.low:g} to {dim.high:,.0f}"
    return None
