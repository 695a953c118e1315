"""The releases of the bundled specifications, planned once for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from metagen import load_spec, plan
from metagen.synth import prose
from metagen.synth.release import Release

PATHS = {
    path.stem: path
    for path in sorted((Path(__file__).parents[2] / "examples" / "specs").rglob("*.yaml"))
}


@cache
def example(name: str, voice: str) -> Release:
    """The release of one bundled specification in one voice."""
    return plan(load_spec(PATHS[name]), voice=voice)


@cache
def banks() -> dict[str, prose.Paragraph]:
    """The phrase banks, read once."""
    return prose.load_banks()


def could_say(release: Release) -> Iterator[tuple[prose.Slot, prose.Sentence]]:
    """Every sentence that some seed may draw for a release."""
    scope = scope_of(release)
    for paragraph in banks().values():
        for slot in paragraph.slots:
            for sentence in slot.pool(release.voice):
                if sentence.applies(scope.texts):
                    yield slot, sentence


def scope_of(release: Release) -> prose.Scope:
    """What the sentences of a release may name."""
    words = prose.sentence_words(release.spec, release.words, len(release.notes))
    return prose.Scope(words, release.figures)


def abstract(release: Release, seed: int) -> str:
    """The abstract that a release would have under another seed."""
    return prose.draw(banks()["abstract"], scope_of(release), seed, release.voice).plain


def shared(one: str, other: str, length: int = 5) -> float:
    """The share of word n-grams of the text with fewer of them that the other has as well."""
    first, second = (_grams(text, length) for text in (one, other))
    return len(first & second) / min(len(first), len(second))


def _grams(text: str, length: int) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}
