"""Batches that are functions of the seed and the step, of samples that are listed."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from torch import Tensor

from .config import Config


class Batches:
    """Batches of listed samples.

    Attributes:
        train, val: the samples that are trained on, and those that are held out.
        stack: samples as a batch for `loss`; every subclass has its own.
    """

    stack: Callable[[Sequence[Any]], dict[str, Tensor]]

    def __init__(self, config: Config, train: Sequence[Any], val: Sequence[Any]):
        self.config, self.train, self.val = config, train, val

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Samples `rows` of the step's global batch."""
        rng = Random(f"{self.config.seed}/batch/{step}")
        chosen = rng.choices(self.train, k=self.config.global_batch)
        return self.stack([chosen[row] for row in rows])

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out samples in order, at most `limit` of them."""
        samples = self.val[:limit]
        for first in range(0, len(samples), batch_size):
            yield self.stack(samples[first : first + batch_size])
