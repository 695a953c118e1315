"""Environments side by side: one step of all of them at a time.

The built-in environment is this repository's own (`environment.py`); `--env gymnasium:NAME` takes
one of Gymnasium's. An episode ends when it is over (`terminated`: nothing is to come) or when its
time is up (`truncated`: much may be to come, only nobody looks); whoever learns from an episode
must tell the two apart. Episodes begin as (seed, split, environment, number of the episode) say,
so a run repeats exactly.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .config import Config
from .environment import build_environment

SPLITS = ("training", "held out")


@dataclass(frozen=True)
class Step:
    """What came of one action in each of N environments.

    Attributes:
        after: observations that followed, before any new episode began, (N, ...).
        rewards: (N,).
        terminated: whether an episode is over, (N,).
        ended: whether it is over or its time is up, (N,).
        finished: returns of the episodes that ended, in the order of their environments.
    """

    after: Tensor
    rewards: Tensor
    terminated: Tensor
    ended: Tensor
    finished: list[float]


class Arena(Protocol):
    """N environments; ended episodes are followed by new ones at once."""

    count: int

    def observe(self) -> Tensor:
        """What the agents are told now, (N, S) or (N, C, Y, X)."""

    def step(self, actions: Tensor) -> Step:
        """Act in every environment, (N,) or (N, A)."""

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore` needs to go on from here."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a saved state."""


class BuiltIn:
    """The environment of this repository, `count` times."""

    def __init__(self, config: Config, count: int, split: str):
        self.config, self.count = config, count
        self.key = (config.seed, SPLITS.index(split))
        self.world = build_environment(config)
        self.episodes = np.zeros(count, dtype=np.int64)
        self.clocks = np.zeros(count, dtype=np.int64)
        self.totals = np.zeros(count)
        self.states = np.stack([self.begin(index) for index in range(count)])
        if config.observation == "image":
            self.frames = self.stacked(self.world.observe(self.states))

    def begin(self, index: int) -> np.ndarray:
        """The first state of the next episode of one environment."""
        key = (*self.key, index, int(self.episodes[index]))
        self.episodes[index] += 1
        return self.world.start(np.random.default_rng(key))

    def observe(self) -> Tensor:
        if self.config.observation == "image":
            return torch.from_numpy(self.frames.copy())
        else:
            return self.told(self.states)

    def told(self, states: np.ndarray) -> Tensor:
        """Observations of states, (N, S); cut in front, or filled with zeros, to the model's S."""
        seen = torch.from_numpy(self.world.observe(states)).float()[:, -self.config.state_dim :]
        missing = self.config.state_dim - seen.size(1)
        return torch.nn.functional.pad(seen, (0, missing))

    def stacked(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures, (N, C, Y, X), as often as the agent sees frames."""
        return np.tile(pictures, (1, self.config.frames, 1, 1))

    def step(self, actions: Tensor) -> Step:
        world = self.world
        chosen = actions.cpu().numpy()
        if self.config.actions == "discrete":
            chosen = chosen % world.choices  # further actions repeat the first ones
        self.states, rewards, terminated = world.advance(self.states, chosen)
        self.clocks += 1
        self.totals += rewards
        ended = terminated | (self.clocks >= world.limit)
        if self.config.observation == "image":
            newest = world.observe(self.states)
            self.frames = np.concatenate((self.frames[:, newest.shape[1] :], newest), axis=1)
            after = torch.from_numpy(self.frames.copy())
        else:
            after = self.told(self.states)
        finished = self.totals[ended].tolist()
        for index in np.flatnonzero(ended):
            self.states[index] = self.begin(index)
            self.clocks[index] = self.totals[index] = 0
            if self.config.observation == "image":
                first = world.observe(self.states[index : index + 1])
                self.frames[index] = self.stacked(first)[0]
        flags = torch.from_numpy(terminated), torch.from_numpy(ended)
        return Step(after, torch.from_numpy(rewards).float(), *flags, finished)

    def state(self) -> dict[str, Tensor]:
        saved = {
            "states": self.states,
            "episodes": self.episodes,
            "clocks": self.clocks,
            "totals": self.totals,
        }
        if self.config.observation == "image":
            saved["frames"] = self.frames
        return {name: torch.from_numpy(array.copy()) for name, array in saved.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        for name, tensor in state.items():
            setattr(self, name, tensor.numpy().copy())

    def picture(self):
        """A picture of the first environment."""
        return self.world.draw(self.states[0])

    def facts(self) -> dict[str, float]:
        """The state of the first environment, by name."""
        return dict(zip(self.world.columns, self.states[0].tolist(), strict=True))


def open_arena(config: Config, count: int, split: str) -> Arena:
    """`count` environments that `--env` names; without it, built-in ones."""
    if not config.env:
        return BuiltIn(config, count, split)
    library, _, name = config.env.partition(":")
    if library != "gymnasium" or not name:
        raise ValueError(f'--env "{config.env}": write gymnasium:NAME, or nothing for the built-in')
    from .gym_arena import GymArena

    return GymArena(config, name, count, split)
