"""Whole episodes, played by a model or by those that it must beat."""

from typing import Protocol

import torch
from torch import Tensor

from .arena import Arena, Step
from .config import Config

MOST_STEPS = 10_000  # an episode that goes on for longer is left


class Actor(Protocol):
    """Someone who acts in N environments."""

    def act(self, observations: Tensor) -> Tensor:
        """Actions for observations, (N,) or (N, A)."""

    def notice(self, step: Step) -> None:
        """Learn what came of them."""


class RandomActor:
    """Every action is as likely as any other."""

    def __init__(self, config: Config):
        self.config = config
        self.generator = torch.Generator().manual_seed(config.seed)

    def act(self, observations: Tensor) -> Tensor:
        if self.config.actions == "continuous":
            shape = (len(observations), self.config.action_dim)
            return torch.rand(shape, generator=self.generator) * 2 - 1
        else:
            shape = (len(observations),)
            return torch.randint(self.config.num_actions, shape, generator=self.generator)

    def notice(self, step: Step) -> None:
        pass


def play(arena: Arena, actor: Actor) -> Tensor:
    """Returns of the first episode of every environment, (N,)."""
    returns = torch.zeros(arena.count, dtype=torch.float64)
    playing = torch.ones(arena.count, dtype=torch.bool)
    for _ in range(MOST_STEPS):
        step = arena.step(actor.act(arena.observe()))
        actor.notice(step)
        returns += step.rewards * playing
        playing &= ~step.ended
        if not playing.any():
            break
    return returns
