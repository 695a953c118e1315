"""Labelled clips as tensors, in batches that are functions of the step.

Without `--data` the clips are made as they are read. `--data` takes a folder with one folder of
clips for each class, a CSV file with columns `path` and `label`, or the name of a Hugging Face
dataset. The clips of a step follow from (seed, step), so training resumes exactly and does not
depend on how many processes share a batch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from .classes import save_class_names
from .clips import COLUMN, INPUT, clip_paths, clip_shape, decode_clip, fit_clip, read_clip
from .config import Config
from .reading import dataset_rows, table_rows
from .synthetic import class_names, synthetic_clip

INPUTS = (INPUT,)  # of the model, by their keys in a batch
BUILT_IN = 3_000  # clips of the built-in data


@dataclass(frozen=True)
class Clip:
    """A labelled clip that is read when it is needed; `read` returns all of it."""

    name: str
    label: int
    read: Callable[[], Tensor]


class Corpus:
    """Training and held-out clips."""

    def __init__(self, config: Config):
        self.config = config
        clips, self.names = find_clips(config)
        rng = Random(f"{config.seed}/split")
        order = rng.sample(range(len(clips)), len(clips))
        held_out = max(1, round(len(clips) * config.val_fraction))
        self.val = [clips[i] for i in sorted(order[:held_out])]
        self.train = [clips[i] for i in sorted(order[held_out:])]

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Clips `rows` of the step's global batch, with their labels, (B,)."""
        rng = Random(f"{self.config.seed}/batch/{step}")
        draws = [(rng.choice(self.train), rng.random()) for _ in range(self.config.global_batch)]
        return collate([draws[row] for row in rows], self.config)

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out clips in order, at most `limit` of them, each from its start."""
        clips = self.val[:limit]
        for first in range(0, len(clips), batch_size):
            yield collate([(c, 0.0) for c in clips[first : first + batch_size]], self.config)

    def train_labels(self) -> Tensor:
        """The label of every training clip, (N,)."""
        return torch.tensor([clip.label for clip in self.train])


def collate(draws: Sequence[tuple[Clip, float]], config: Config) -> dict[str, Tensor]:
    """Clips as a batch, each of them fitted at its share of what is too much."""
    return {
        INPUT: torch.stack([fit_clip(clip.read(), at, config) for clip, at in draws]),
        "labels": torch.tensor([clip.label for clip, _ in draws]),
    }


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Noise and random labels, shaped as a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(config.num_classes, (batch_size,), generator=generator)
    noise = torch.randn(batch_size, *clip_shape(config), generator=generator)
    return {INPUT: noise.div_(4).clamp_(-1, 1), "labels": labels}


def prepare(config: Config) -> None:
    """Check the data and write the names of the classes to the run folder."""
    clips, classes = find_clips(config)
    if len(clips) < 2:
        raise ValueError(f'--data "{config.data}": one clip is not enough to train on')
    save_class_names(config, classes)


def find_clips(config: Config) -> tuple[list[Clip], list[str]]:
    """The clips that `--data` names, without it the built-in ones; and their classes in order."""
    if not config.data:
        return synthetic_clips(config), class_names(config.num_classes)
    path = Path(config.data)
    if path.is_dir():
        found = [(file, file.relative_to(path).parts[0]) for file in clip_paths(path)]
        found = [(file, name) for file, name in found if file.parent != path]
    elif path.is_file():
        found = read_table(path)
    else:
        return dataset_clips(config)
    if not found:
        raise ValueError(f'--data "{config.data}": no folder of clips for each class there')
    classes = sorted({name for _, name in found})
    return [
        Clip(str(file), classes.index(name), lambda file=file: read_clip(file, config))
        for file, name in found
    ], classes


def read_table(path: Path) -> list[tuple[Path, str]]:
    """Clips and labels of a CSV; its paths are relative to its own folder."""
    rows = list(table_rows(path))
    if not rows or not {"path", "label"} <= rows[0].keys():
        raise ValueError(f'--data "{path}": a CSV needs the columns path and label')
    return [(path.parent / row["path"], row["label"]) for row in rows]


def synthetic_clips(config: Config) -> list[Clip]:
    """The built-in clips; clip i depends on the seed and i alone."""

    def clip(index: int) -> Clip:
        label = Random(f"{config.seed}/label/{index}").randrange(config.num_classes)

        def read() -> Tensor:
            return synthetic_clip(label, config, Random(f"{config.seed}/clip/{index}"))

        return Clip(f"built-in {index}", label, read)

    return [clip(index) for index in range(BUILT_IN)]


def dataset_clips(config: Config) -> tuple[list[Clip], list[str]]:
    """The clips of a Hugging Face dataset."""
    rows = dataset_rows(config.data)
    labels = rows["label"]
    names = getattr(rows.features["label"], "names", None)
    classes = list(names or sorted(set(map(str, labels))))

    def clip(index: int, label: int | str) -> Clip:
        number = label if names else classes.index(str(label))
        return Clip(
            f"{config.data} {index}", number, lambda: decode_clip(rows[index][COLUMN], config)
        )

    return [clip(index, label) for index, label in enumerate(labels)], classes
