"""What is wrong with a paragraph, as far as a machine can tell."""

from __future__ import annotations

import re

from metagen.utils.escaping import Prose

#: Words of a release that are somebody's own, whose grammar is not ours to judge.
FREE = {
    "name", "title", "description", "domain", "data_sources", "data_size", "pii", "copyright",
    "alignment_methods", "alignment_policy", "determinism", "benchmark_phrase", "baseline_phrase",
}  # fmt: skip

_FAULTS = {
    "hole": re.compile(r"[{}]|\(n\)|“”|\bNone\b(?! of|,)|\bNaN\b|\bnull\b"),
    "spacing": re.compile(r"  | [,;:](?!\w)| \.(?!\w)|\.\.|,,|^ | $"),
    "doubled word": re.compile(r"\b([a-z]+) \1\b", re.IGNORECASE),
    "a for an": re.compile(r"\b[Aa] (?:8|11\b|18\b|[aeio](?!ne\b|nce\b)|NVIDIA|LLM|MLP|RTX)"),
    "an for a": re.compile(
        r"\b[Aa]n (?:[2-79]|1(?![18]\b)|[bcdfgjklmnpqrstvwxyz]|uni|use|Jetson|CPU)"
    ),
    "one of many": re.compile(
        r"(?<![\d.,@])(?<!seed )\b1 (?!(?:is|was|has|serves|series|class)\b)[\w-]+s\b"
    ),
    "small letter": re.compile(r"^[a-z]|[.?!]”? [a-z]"),
    "no stop": re.compile(r"[^.?]$"),
}


def judged(text: Prose) -> str:
    """The words of a paragraph, with `X` for what is somebody else's or code."""
    return "".join(
        "X" if piece.kind == "code" or piece.key in FREE else piece.value
        for piece in text.pieces
        if piece.kind not in ("emphasis", "cite")
    )


def faults(text: Prose) -> list[str]:
    """Every fault of a paragraph with its surroundings; none for an empty one."""
    return slips(judged(text), *_FAULTS)


def slips(said: str, *kinds: str) -> list[str]:
    """Faults of some kinds in a text, with their surroundings."""
    return [
        f"{kind}: …{said[max(found.start() - 40, 0) : found.end() + 30]}…"
        for kind in kinds
        for found in _FAULTS[kind].finditer(said)
        if said
    ]
