"""The built-in samples: a hidden concept decides what every input and output of a sample is.

A sample is a number. Its concept is one of four kinds, and a level between 0 and 1. Inputs show
both, with noise; outputs follow from both alone, so that anything can be predicted from anything.
"""

from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

KINDS = ("circle", "square", "triangle", "cross")


@dataclass(frozen=True)
class Concept:
    """What a sample is about."""

    number: int
    kind: int  # a place in KINDS
    level: float  # between 0 and 1


def concept(number: int) -> Concept:
    """The concept of a number, always the same one."""
    rng = Random(f"mixed/{number}")
    return Concept(number, rng.randrange(len(KINDS)), rng.random())


def chance(known: Concept, purpose: str) -> Random:
    """Random numbers of a sample, for one purpose."""
    return Random(f"mixed/{known.number}/{purpose}")


def noise(known: Concept, purpose: str, *shape: int) -> Tensor:
    """Normally distributed numbers of a sample, for one purpose."""
    generator = torch.Generator().manual_seed(chance(known, purpose).getrandbits(62))
    return torch.randn(shape, generator=generator)
