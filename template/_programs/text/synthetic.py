"""The built-in text: a small language with grammar, memory and arithmetic to learn.

Letter frequencies say little about it. Verbs agree with subjects that stand clauses earlier, a
recalled list repeats an earlier line, and every sum is right.
"""

from collections.abc import Iterator
from random import Random

NOUNS = "captain river lantern harbour engine garden letter mirror orchard signal tower winter"
VERBS = "follow lift remember answer cover guard measure mend"
ADJECTIVES = "quiet heavy golden distant narrow patient bright old"
PLACES = "near behind above beside under"

NOUNS, VERBS, ADJECTIVES, PLACES = (w.split() for w in (NOUNS, VERBS, ADJECTIVES, PLACES))


def synthetic_documents(seed: int, count: int = 1_500) -> Iterator[str]:
    """Yield `count` documents of about 600 bytes; document i depends on the seed and i alone."""
    for index in range(count):
        rng = Random(f"{seed}/document/{index}")
        lines = [rng.choice((agreement, agreement, recall, arithmetic))(rng) for _ in range(10)]
        yield "\n".join(lines) + "\n"


def agreement(rng: Random) -> str:
    """A sentence whose verb agrees with its first noun across a clause about another one."""
    plural = rng.random() < 0.5
    subject = noun_phrase(rng, plural)
    distractor = noun_phrase(rng, rng.random() < 0.5)
    verb = rng.choice(VERBS) if plural else rng.choice(VERBS) + "s"
    target = noun_phrase(rng, rng.random() < 0.5)
    return f"{subject} {rng.choice(PLACES)} {distractor} {verb} {target}.".capitalize()


def noun_phrase(rng: Random, plural: bool) -> str:
    """An article, sometimes an adjective, and a noun."""
    article = "the" if plural or rng.random() < 0.5 else "one"
    adjective = rng.choice(ADJECTIVES) + " " if rng.random() < 0.4 else ""
    return f"{article} {adjective}{rng.choice(NOUNS)}{'s' if plural else ''}"


def recall(rng: Random) -> str:
    """A list of words, and the same list again."""
    words = " ".join(rng.sample(NOUNS, rng.randint(2, 5)))
    return f"Recall {words}: {words}."


def arithmetic(rng: Random) -> str:
    """A sum of two numbers below one hundred."""
    a, b = rng.randrange(100), rng.randrange(100)
    return f"{a} plus {b} is {a + b}."
