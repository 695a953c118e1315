"""Scenes as tensors: built in or from files, in batches that are functions of the step.

Nothing depends on what was read before: the batch of a step follows from (seed, step), so
training resumes exactly and does not depend on how many processes share a batch.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from torch import Tensor

from .config import Config
from .readers import open_data
from .scenes import Scene
from .synthetic import synthetic_names, synthetic_scene
from .targets import FIRST, collate

HELD_OUT = 256  # built-in scenes that are evaluated


class Corpus:
    """Training and held-out scenes: endless built-in ones, or those of files, split by seed."""

    def __init__(self, config: Config):
        self.config = config
        self.reader = open_data(config.data) if config.data else None
        if self.reader is not None:
            order = list(range(len(self.reader.entries)))
            Random(f"{config.seed}/split").shuffle(order)
            count = max(1, round(len(order) * config.val_fraction))
            self.val, self.train = sorted(order[:count]), sorted(order[count:])
            if not self.train:
                raise ValueError("--data needs two pictures: one to learn from, one held out")

    @property
    def names(self) -> list[str]:
        """The classes' names, as far as they are known."""
        if self.reader is None:
            return synthetic_names(FIRST, self.config.num_classes)
        return self.reader.names(FIRST)

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Scenes `rows` of the step's global batch, as the model's loss takes them."""
        if self.reader is None:
            return collate(self.config, [self.built_in(f"{step}/{row}") for row in rows])
        rng = Random(f"{self.config.seed}/batch/{step}")
        drawn = [rng.choice(self.train) for _ in range(self.config.global_batch)]
        return collate(self.config, [self.read(drawn[row]) for row in rows])

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out scenes in order, at most `limit` of them."""
        count = HELD_OUT if self.reader is None else len(self.val)
        count = count if limit is None else min(count, limit)
        for first in range(0, count, batch_size):
            rows = range(first, min(first + batch_size, count))
            yield collate(self.config, [self.held_out(row) for row in rows])

    def held_out(self, row: int) -> Scene:
        """One held-out scene."""
        return self.built_in(f"val/{row}") if self.reader is None else self.read(self.val[row])

    def built_in(self, name: str) -> Scene:
        """The built-in scene called `name` under the run's seed."""
        config = self.config
        kinds = config.num_classes - FIRST
        name = f"{config.seed}/{name}"
        return synthetic_scene(name, config.image_size, config.channels, FIRST, kinds)

    def read(self, index: int) -> Scene:
        """An entry of the files."""
        config = self.config
        scene = self.reader.scene(index, config.image_size, config.channels, FIRST)
        if len(scene.labels) and scene.labels.max() >= config.num_classes:
            raise ValueError(
                f"--data has class {scene.labels.max()}; --num-classes {config.num_classes} "
                "must be above it"
            )
        return scene


def prepare(config: Config) -> None:
    """Make the run's folder and read one scene; the others are drawn or read as they are used."""
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)
    next(Corpus(config).val_batches(1))


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Built-in scenes whatever `--data` says: for shapes and speed."""
    kinds = config.num_classes - FIRST
    names = (f"{seed}/synthetic/{row}" for row in range(batch_size))
    side, channels = config.image_size, config.channels
    return collate(config, [synthetic_scene(n, side, channels, FIRST, kinds) for n in names])
