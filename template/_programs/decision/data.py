"""Stretches of recorded episodes: batches that are functions of the seed and the step.

A seeded draw for each episode decides whether it is held out. What is to come is told in shares of
the largest return in the data, `scale`; the return that a trained agent aims for is that which
`target_share` of the way from the mean to the best of the data lies.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from .config import Config
from .episodes import Episode, open_episodes


@dataclass(frozen=True)
class Returns:
    """What is known of the returns of the data: their mean, the best, the largest by size."""

    mean: float
    best: float
    scale: float


class Corpus:
    """Training and held-out episodes."""

    def __init__(self, config: Config):
        self.config = config
        episodes = open_episodes(config)
        if max(map(len, episodes)) > config.max_episode:
            raise ValueError(f"--max-episode is below {max(map(len, episodes))}, which occurs")
        rng = Random(f"{config.seed}/split")
        held_out = [rng.random() < config.val_fraction for _ in episodes]
        self.train = [e for e, out in zip(episodes, held_out, strict=True) if not out]
        self.val = [e for e, out in zip(episodes, held_out, strict=True) if out]
        if not self.train or not self.val:
            raise ValueError(f'--data "{config.data}": too few episodes to hold some out')
        totals = [float(e.rewards.sum()) for e in self.train]
        size = max(1e-9, *map(abs, totals))
        self.returns = Returns(sum(totals) / len(totals), max(totals), size)
        self.lengths = [len(e) for e in self.train]

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Rows of the step's global batch; every step of the data is as likely as any other."""
        rng = Random(f"{self.config.seed}/batch/{step}")
        chosen = rng.choices(self.train, self.lengths, k=self.config.global_batch)
        starts = [rng.randrange(len(e)) for e in chosen]
        return self.batch([(chosen[row], starts[row]) for row in rows])

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """Held-out stretches, one after the other, at most `limit` of them."""
        reach = self.config.context_steps
        stretches = [(e, start) for e in self.val for start in range(0, len(e), reach)]
        stretches = Random(f"{self.config.seed}/held out").sample(stretches, len(stretches))
        stretches = stretches[:limit]
        for first in range(0, len(stretches), batch_size):
            yield self.batch(stretches[first : first + batch_size])

    def batch(self, stretches: list[tuple[Episode, int]]) -> dict[str, Tensor]:
        """Stretches of T steps as a batch for `loss`; beyond an episode's end all is zero."""
        rows = [self.stretch(episode, start) for episode, start in stretches]
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}

    def stretch(self, episode: Episode, start: int) -> dict[str, Tensor]:
        """T steps of one episode from `start` on."""
        reach = self.config.context_steps
        span = slice(start, start + reach)
        row = {
            "states": episode.states[span],
            "actions": episode.actions[span],
            "returns": episode.returns[span] / self.returns.scale,
            "times": torch.arange(start, min(start + reach, len(episode))),
        }
        row["known"] = torch.ones(len(row["times"]), dtype=torch.bool)
        missing = reach - len(row["times"])
        return {n: torch.cat((t, t.new_zeros(missing, *t.shape[1:]))) for n, t in row.items()}


def prepare(config: Config) -> None:
    """Check the episodes that `config` asks for, and note their returns."""
    folder = Path(config.run_dir)
    returns = Corpus(config).returns
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(returns), indent=2) + "\n"
    (folder / "returns.json").write_text(text, encoding="utf-8")


def known_returns(config: Config) -> Returns:
    """What a run noted of the returns of its data; read from the data before any training."""
    path = Path(config.run_dir) / "returns.json"
    if path.exists():
        return Returns(**json.loads(path.read_text(encoding="utf-8")))
    return Corpus(config).returns


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random stretches, of a batch's shapes: for tests and speed."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, config.context_steps)
    if config.actions == "continuous":
        actions = torch.rand(*shape, config.action_dim, generator=generator) * 2 - 1
    else:
        actions = torch.randint(config.num_actions, shape, generator=generator)
    return {
        "states": torch.randn(*shape, config.state_dim, generator=generator),
        "actions": actions,
        "returns": torch.rand(shape, generator=generator),
        "times": torch.arange(config.context_steps).expand(shape).clone(),
        "known": torch.ones(shape, dtype=torch.bool),
    }
