"""Facts about who does what to whom, and where: the same one can be said in many ways."""

from dataclasses import dataclass, replace
from random import Random
from typing import Self

#: Every noun with another word for it.
NOUNS = {
    "captain": "skipper",
    "river": "stream",
    "lantern": "lamp",
    "harbour": "port",
    "engine": "motor",
    "letter": "note",
    "tower": "spire",
    "orchard": "grove",
}
VERBS = ("follow", "lift", "remember", "answer", "cover", "guard", "mend")
PLACES = ("near", "behind", "above", "beside", "under")


@dataclass(frozen=True)
class Fact:
    """Someone does something to someone else, somewhere."""

    agent: str
    verb: str
    patient: str
    place: str
    landmark: str

    def plainly(self) -> str:
        """In the active voice."""
        deed = f"{self.agent} {self.verb}s the {self.patient}"
        return f"the {deed} {self.place} the {self.landmark}"

    def otherwise(self) -> str:
        """In the passive voice and, for the nouns, in other words."""
        agent, patient, landmark = (NOUNS[n] for n in (self.agent, self.patient, self.landmark))
        deed = f"the {patient} is {self.verb}ed by the {agent}"
        return f"{self.place} the {landmark}, {deed}"

    def question(self) -> str:
        """What asks for the agent."""
        return f"who {self.verb}s the {self.patient} {self.place} the {self.landmark}?"

    def moved(self, rng: Random) -> Self:
        """The same deed somewhere else."""
        return replace(self, place=rng.choice([p for p in PLACES if p != self.place]))


def draw_fact(rng: Random) -> Fact:
    """A fact about three things."""
    agent, patient, landmark = rng.sample(sorted(NOUNS), 3)
    return Fact(agent, rng.choice(VERBS), patient, rng.choice(PLACES), landmark)
