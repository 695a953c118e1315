"""The built-in queries: a question about a fact, with passages that answer it more or less well.

The best passage tells the fact; the second best tells of the same deed elsewhere. Others tell
something else, or nothing at all: those are known by their form, the rest only beside the query.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

from .facts import Fact, draw_fact


def synthetic_examples(seed: int, candidates: int, count: int = 3_000) -> Iterator[dict[str, Any]]:
    """Yield `count` queries with graded passages; query i depends on the seed and i alone."""
    for index in range(count):
        rng = Random(f"{seed}/query/{index}")
        fact = draw_fact(rng)
        told = [(fact.plainly(), 2), (fact.moved(rng).plainly(), 1)]
        empty = (other(fact, rng).question(), f"nobody asks about the {fact.patient}")
        told += [(text, 0) for text in (rng.choice(empty), other(fact, rng).plainly())]
        told += [(other(fact, rng).plainly(), 0) for _ in range(candidates - len(told))]
        told = rng.sample(told[:candidates], candidates)
        passages = [{"text": text, "grade": grade} for text, grade in told]
        yield {"query": fact.question(), "passages": passages}


def other(fact: Fact, rng: Random) -> Fact:
    """A fact about something else."""
    while (drawn := draw_fact(rng)).verb == fact.verb and drawn.patient == fact.patient:
        pass
    return drawn
