"""The built-in pairs: a fact in the active voice, and the same fact in the passive voice.

The partners share few letters: nouns have other names, and the order is another. A pair whose
agent and patient changed places is another pair, so that bags of words do not suffice.
"""

from collections.abc import Iterator
from random import Random

from .facts import draw_fact


def synthetic_examples(seed: int, count: int = 6_000) -> Iterator[dict[str, str]]:
    """Yield `count` pairs of texts about different facts; they depend on the seed alone."""
    rng, known = Random(f"{seed}/pairs"), set()
    while len(known) < count:
        fact = draw_fact(rng)
        if fact not in known:
            known.add(fact)
            yield {"left": fact.plainly(), "right": fact.otherwise()}
