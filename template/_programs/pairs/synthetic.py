"""The built-in pairs: invented languages to translate, or small stories to summarise.

No download and nothing personal: pair i depends on the seed and i alone.
"""

from collections.abc import Iterator
from random import Random

from .config import Config

COUNT = 20_000  # pairs

NOUNS = "mo ta ri ke lu so".split()
VERBS = "ban dig fum gol".split()
ADJECTIVES = "wi zu pe".split()
TRANSLATED = {
    "mo": "ark", "ta": "elb", "ri": "ost", "ke": "und", "lu": "ist", "so": "aft",
    "ban": "ho", "dig": "va", "fum": "nee", "gol": "ju", "wi": "pra", "zu": "tri", "pe": "kle",
}  # fmt: skip

PEOPLE = "Ada Ben Cleo Dan Eve Finn".split()
THINGS = "book cup hat key map pen".split()
PLACES = "barn cave dock farm hall lab".split()
FILLERS = ("It rained.", "Nobody spoke.", "The sun came out.")


def synthetic_pairs(config: Config) -> Iterator[tuple[str, str]]:
    """Yield `COUNT` pairs of source and target."""
    make = story if config.pairs == "summarization" else sentence
    for index in range(COUNT):
        yield make(Random(f"{config.seed}/pair/{index}"))


def sentence(rng: Random) -> tuple[str, str]:
    """A sentence and its translation.

    The first language says subject, verb, object and puts adjectives first; the second puts them
    last and the verb at the end.
    """
    subject, thing = phrase(rng), phrase(rng)
    verb = rng.choice(VERBS)
    source = [*subject, verb, *thing]
    target = [TRANSLATED[word] for word in (*reversed(subject), *reversed(thing), verb)]
    return " ".join(source), " ".join(target)


def phrase(rng: Random) -> list[str]:
    """A noun, sometimes after an adjective."""
    adjective = [rng.choice(ADJECTIVES)] if rng.random() < 0.5 else []
    return [*adjective, rng.choice(NOUNS)]


def story(rng: Random) -> tuple[str, str]:
    """A story about somebody who finds a thing, and who, what and where in a line."""
    person, friend = rng.sample(PEOPLE, 2)
    thing, place = rng.choice(THINGS), rng.choice(PLACES)
    aside = rng.choice((*FILLERS, f"{friend} slept."))
    lines = [aside, f"{person} found a {thing} in the {place}."]
    rng.shuffle(lines)
    return " ".join(lines), f"{person} {thing} {place}"
