"""Recorded episodes: of the built-in controllers, or from a CSV.

A CSV has a line for every step, with columns `step` (0 begins an episode), `observation_0` and
further, `action_0` and further, and `reward`, as `infer` writes them; other columns are ignored.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .arena import BuiltIn
from .config import Config
from .controllers import control


@dataclass(frozen=True)
class Episode:
    """T steps: what was observed, (T, S), what was done, (T,) or (T, A), what it brought, (T,)."""

    states: Tensor
    actions: Tensor
    rewards: Tensor

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def returns(self) -> Tensor:
        """Sums of the rewards from each step on, (T,)."""
        return self.rewards.flip(0).cumsum(0).flip(0)


def open_episodes(config: Config) -> list[Episode]:
    """The episodes that `--data` names; without it, those of the built-in controllers."""
    return read_episodes(config) if config.data else controlled_episodes(config)


def controlled_episodes(config: Config) -> list[Episode]:
    """Episodes of controllers whose skill runs from none to all, in the built-in environment."""
    arena = BuiltIn(config, config.episodes, "training")
    rng = np.random.default_rng((config.seed, 7))
    skill = np.linspace(0, 1, config.episodes)
    taken: list[tuple[Tensor, Tensor, Tensor]] = []
    lengths = np.zeros(config.episodes, dtype=int)
    for clock in range(1, arena.world.limit + 1):
        seen = arena.observe()
        actions = torch.from_numpy(control(arena.states, skill, rng))
        step = arena.step(actions)
        taken.append((seen, actions, step.rewards))
        lengths[(lengths == 0) & step.ended.numpy()] = clock
        if lengths.all():
            break
    states, actions, rewards = (torch.stack(tensors, dim=1) for tensors in zip(*taken, strict=True))
    if config.actions == "continuous":
        actions = actions.float().expand(-1, -1, config.action_dim)
    return [
        Episode(states[i, :n].float(), actions[i, :n], rewards[i, :n].float())
        for i, n in enumerate(lengths)
    ]


def read_episodes(config: Config) -> list[Episode]:
    """Episodes of a CSV; raise `ValueError` where its columns are not those of the model."""
    path = Path(config.data)
    if not path.is_file():
        raise ValueError(f'--data "{config.data}": no such file')
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0]) if rows else []
    seen = [name for name in columns if name.startswith("observation_")]
    done = [name for name in columns if name.startswith("action_")]
    if config.actions == "continuous":
        wanted = config.action_dim
    else:
        wanted = 1
    if len(seen) != config.state_dim or len(done) != wanted or "reward" not in columns:
        raise ValueError(
            f'--data "{config.data}": needs observation_0 to observation_{config.state_dim - 1}, '
            f"action_0 to action_{wanted - 1}, step and reward"
        )
    starts = [i for i, row in enumerate(rows) if int(row["step"]) == 0] + [len(rows)]
    return [
        episode(config, rows[first:last], seen, done)
        for first, last in zip(starts, starts[1:], strict=False)
    ]


def episode(config: Config, rows: list[dict], seen: list[str], done: list[str]) -> Episode:
    """One episode from its lines."""
    states = torch.tensor([[float(row[name]) for name in seen] for row in rows])
    if config.actions == "continuous":
        actions = torch.tensor([[float(row[name]) for name in done] for row in rows])
    else:
        actions = torch.tensor([int(float(row[done[0]])) for row in rows])
    return Episode(states, actions, torch.tensor([float(row["reward"]) for row in rows]))
