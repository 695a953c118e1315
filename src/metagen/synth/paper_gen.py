"""What only the paper needs: its bibliography, and the table of every module."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import yaml

from ..utils import formatting as fmt
from ..utils.escaping import Prose
from .release import Reference
from .tables import Table

LIBRARY = Path(__file__).with_name("references.yaml")


def references(prose: Iterable[Prose]) -> tuple[Reference, ...]:
    """The works that `prose` cites, by key.

    Raises:
        KeyError: for a key that the library does not have.
    """
    keys = sorted(cited(prose))
    entries = load_library(keys)
    return tuple(Reference(key, entries[key].pop("type"), entries[key]) for key in keys)


def load_library(keys: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
    """The entries of the library by key; with `keys`, only those: reading one takes long."""
    text = LIBRARY.read_text(encoding="utf-8")
    if keys is not None:
        wanted = frozenset(keys)
        entries = re.split(r"(?m)^(?=\w+:)", text)
        text = "".join(entry for entry in entries if entry.partition(":")[0] in wanted)
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}


def cited(prose: Iterable[Prose]) -> frozenset[str]:
    """Keys of the works that some text cites."""
    return frozenset(
        key
        for text in prose
        for piece in text.pieces
        if piece.kind == "cite"
        for key in piece.value.split(",")
    )


@dataclass(frozen=True)
class Modules:
    """Every module of a state dict; the table is made when a document prints it, as few do."""

    tensors: Mapping[str, Mapping[str, Any]]

    @cached_property
    def table(self) -> Table:
        """Name, copies, shapes and parameters; modules that differ in their number share a row."""
        rows = tuple(
            (Prose.code(name), fmt.integer(copies), _shapes(shapes), fmt.integer(params))
            for name, copies, shapes, params in grouped_modules(self.tensors)
        )
        return Table(("Module", "Copies", "Shapes", "Parameters"), "lrlr", rows)


Shape = tuple[int, ...]


def grouped_modules(
    tensors: Mapping[str, Mapping[str, Any]],
) -> list[tuple[str, int, tuple[Shape, ...], int]]:
    """`(name, copies, shapes, parameters)` of modules, in the order of the state dict.

    Weight and bias make one module, any other tensor stands for itself. Modules whose names differ
    in numbers alone, and whose shapes are equal, are copies: `blocks.*.attn.q`. Aliases and buffers
    count no parameters.
    """
    modules: dict[str, list[tuple[Shape, int]]] = {}
    for name, tensor in tensors.items():
        shape = tuple(tensor["shape"])
        own = tensor["kind"] == "parameter" and tensor["tied_to"] is None
        module = _LEAF.sub("", name)
        modules.setdefault(module, []).append((shape, prod(shape) if own else 0))
    groups: dict[tuple[str, tuple[tuple[Shape, int], ...]], list[str]] = {}
    for name, held in modules.items():
        groups.setdefault((_NUMBER.sub("*", name), tuple(held)), []).append(name)
    return [
        (
            pattern if len(names) > 1 else names[0],
            len(names),
            tuple(shape for shape, _ in held),
            len(names) * sum(params for _, params in held),
        )
        for (pattern, held), names in groups.items()
    ]


_LEAF = re.compile(r"\.(weight|bias|parametrizations\.weight\.original[01])$")
_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")


def _shapes(shapes: Iterable[Shape]) -> str:
    return ", ".join("×".join(map(str, shape)) or "1" for shape in shapes)
