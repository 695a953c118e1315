"""The built-in texts: statements in which one word is meant and another denied.

Every class has a word. A text holds two such words, and which of them is its label follows from
grammar alone: counting words leaves two candidates.
"""

from collections.abc import Iterator
from random import Random

NOUNS = "captain river lantern harbour engine garden letter mirror orchard signal tower winter"
PLACES = "near behind above beside under"
QUALITIES = "quiet heavy golden distant narrow patient bright old"

NOUNS, PLACES, QUALITIES = (words.split() for words in (NOUNS, PLACES, QUALITIES))

FRAMES = (
    "{subject} is {meant}, not {denied}",
    "{subject} is not {denied} but {meant}",
    "{subject} is {meant} and never {denied}",
    "not {denied} but {meant} is {subject}",
)


def synthetic_examples(seed: int, classes: int, count: int = 6_000) -> Iterator[dict[str, str]]:
    """Yield `count` texts with their labels; example i depends on the seed and i alone."""
    for index in range(count):
        rng = Random(f"{seed}/example/{index}")
        meant, denied = rng.sample(range(classes), 2)
        subject = f"the {rng.choice(NOUNS)} {rng.choice(PLACES)} the {rng.choice(NOUNS)}"
        frame = rng.choice(FRAMES)
        text = frame.format(subject=subject, meant=quality(meant), denied=quality(denied))
        yield {"text": f"{text}.".capitalize(), "label": quality(meant)}


def quality(number: int) -> str:
    """The word of a class: its number in words for digits, such as `quiet` or `heavy-golden`."""
    word = QUALITIES[number % len(QUALITIES)]
    rest = number // len(QUALITIES)
    return f"{quality(rest - 1)}-{word}" if rest else word
