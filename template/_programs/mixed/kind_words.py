"""Words out of a list: labels, discrete actions, and the groups of embeddings."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .config import Config
from .synthetic import KINDS, Concept

ACTIONS = ("left", "right", "up", "down")


def make(name: str, known: Concept, config: Config, answer: bool) -> str:
    """The word of a concept's kind; several kinds share one where there are fewer."""
    if name == "action":
        return ACTIONS[known.kind % most(name, config)]
    elif name == "embedding":
        return KINDS[known.kind]
    else:
        return KINDS[known.kind % most(name, config)]


def most(name: str, config: Config) -> int:
    """How many words there may be."""
    if config.gives_action:
        if config.actions == "discrete":
            if name == "action":
                return config.num_actions
    if config.gives_label:
        if name == "label":
            return config.num_classes
    return 2**31


def load(name: str, cell: Any, config: Config, answer: bool) -> str:
    """The word of a cell."""
    return str(cell)


def learn(name: str, raws: list[str], config: Config) -> dict[str, Any]:
    """The list of words, which raises `ValueError` where it is too long."""
    words = sorted(set(raws))
    if len(words) > most(name, config):
        raise ValueError(f"--data has {len(words)} words for {name}; {most(name, config)} fit")
    return {"words": words}


def stack(
    name: str, raws: list[str], note: dict[str, Any], config: Config, answer: bool
) -> dict[str, Tensor]:
    """Places in the list, (B,)."""
    return {name: torch.tensor([note["words"].index(word) for word in raws])}


def write(
    name: str, found: dict[str, Tensor], i: int, note: dict[str, Any], stem: Path, config: Config
) -> str:
    """The likeliest word of sample `i`; of an embedding the sample that is nearest."""
    if config.gives_embedding:
        if name == "embedding":
            cosines = found[name] @ found[name][i]
            cosines[i] = -2.0
            return f"nearest: sample {cosines.argmax()}"
    scores = found[name][i, : len(note["words"])]
    return note["words"][scores.argmax()]
