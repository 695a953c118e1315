"""What only the paper needs: its bibliography, chosen from a library of real works."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..utils.escaping import Prose
from .release import Reference

LIBRARY = Path(__file__).with_name("references.yaml")
ANY = "any"


def references(spec: Mapping[str, Any], topology: str) -> tuple[Reference, ...]:
    """The works that a paper about `topology` may cite, by key.

    An entry of the library that says what it is `for` is chosen where one of those words is the
    topology, the family, a modality or an objective of the specification.
    """
    words = {topology, *_words(spec)}
    chosen = []
    for key, entry in load_library(words).items():
        wanted = entry.pop("for", ANY)
        if wanted == ANY or words.intersection(wanted):
            kind = entry.pop("type")
            chosen.append(Reference(key, kind, dict(entry)))
    return tuple(sorted(chosen, key=lambda reference: reference.key))


def _words(spec: Mapping[str, Any]) -> Iterable[str]:
    yield spec.get("architecture", {}).get("family", "")
    modality = spec.get("modality", {})
    yield from modality.get("inputs", ())
    yield from modality.get("outputs", ())
    yield from spec.get("training", {}).get("objective", ())


def load_library(words: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
    """Every entry that could be cited, by key; with `words`, without most that none of them asks.

    Reading an entry takes long, and few releases cite most of them.
    """
    text = LIBRARY.read_text(encoding="utf-8")
    if words is not None:
        asked = "|".join(map(re.escape, filter(None, words)))
        idle = re.compile(rf"(?m)^  for: (?!.*\b(?:{asked}|{ANY})\b)")
        entries = re.split(r"(?m)^(?=\w+:)", text)
        text = "".join(entry for entry in entries if not idle.search(entry))
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def cited(prose: Iterable[Prose]) -> frozenset[str]:
    """Keys of the works that some text cites."""
    return frozenset(
        key
        for text in prose
        for piece in text.pieces
        if piece.kind == "cite"
        for key in piece.value.split(",")
    )
