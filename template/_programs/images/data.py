"""Pictures with labels as tensors: batches that are functions of the seed and the step.

The pictures are the built-in ones, or what `--data` names: a folder with one folder of pictures
per class, a CSV with columns `path` and `label`, or a Hugging Face dataset with columns `image` and
`label`. A seeded draw for each picture decides whether it is held out. Files are decoded when they
are needed, so nothing is copied; training resumes exactly, because the batch of a step follows from
(seed, step) alone.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .batches import Batches
from .classes import read_class_names, save_class_names
from .config import Config
from .pictures import picture_files, read_picture, to_tensor
from .reading import dataset_rows, table_rows
from .synthetic import CLASSES, synthetic_picture

INPUTS = ("images",)  # of the model, by their keys in a batch
SYNTHETIC = 6_000  # built-in pictures
SHIFT = 8  # pictures are shifted by up to one part in so many of their side


class Pictures(Protocol):
    """Pictures by number, and the names of their classes."""

    names: Sequence[str]

    def __len__(self) -> int:
        """Number of pictures."""

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """A picture, (side, side, channels) bytes, and its class."""


class SyntheticPictures:
    """The built-in ones."""

    def __init__(self, config: Config):
        self.config = config
        self.names = CLASSES[: config.num_classes]

    def __len__(self) -> int:
        return SYNTHETIC

    def read(self, index: int) -> tuple[np.ndarray, int]:
        config = self.config
        return synthetic_picture(
            config.seed, index, config.image_size, config.channels, config.num_classes
        )


class FilePictures:
    """Picture files with the names of their classes."""

    def __init__(self, config: Config, files: Sequence[tuple[Path, str]]):
        self.config, self.files = config, files
        self.names = sorted({name for _, name in files})
        self.classes = {name: i for i, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> tuple[np.ndarray, int]:
        path, name = self.files[index]
        pixels = read_picture(path, self.config.image_size, self.config.channels)
        return pixels, self.classes[name]


class HubPictures:
    """The training split of a Hugging Face dataset."""

    def __init__(self, config: Config):
        self.config = config
        self.rows = dataset_rows(config.data)
        self.names = self.rows.features["label"].names

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> tuple[np.ndarray, int]:
        row = self.rows[index]
        pixels = read_picture(row["image"], self.config.image_size, self.config.channels)
        return pixels, row["label"]


class Corpus(Batches):
    """Training and held-out pictures."""

    def __init__(self, config: Config):
        self.pictures = open_pictures(config)
        self.names = list(self.pictures.names)
        rng = Random(f"{config.seed}/split")
        held_out = [rng.random() < config.val_fraction for _ in range(len(self.pictures))]
        train = [i for i, out in enumerate(held_out) if not out]
        super().__init__(config, train, [i for i, out in enumerate(held_out) if out])
        self.readers = ThreadPoolExecutor(4)

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Pictures `rows` of the step's global batch, each augmented."""
        batch = super().train_batch(step, rows)
        for image, row in zip(batch["images"], rows, strict=True):
            image.copy_(augment(image, Random(f"{self.config.seed}/augment/{step}/{row}")))
        return batch

    def train_labels(self) -> Tensor:
        """The classes of training pictures, of at most a thousand, (N,)."""
        return torch.tensor([self.pictures.read(i)[1] for i in self.train[:1_000]])

    def stack(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Pictures by number as a batch: images, (B, C, Y, X), and labels, (B,)."""
        pixels, labels = zip(*self.readers.map(self.pictures.read, indices), strict=True)
        return {"images": to_tensor(pixels), "labels": torch.tensor(labels)}


def augment(image: Tensor, rng: Random) -> Tensor:
    """A picture, (C, Y, X), shifted a little and half of the time mirrored; edges repeat."""
    reach = image.size(-1) // SHIFT
    down, right = rng.randint(-reach, reach), rng.randint(-reach, reach)
    rows = (torch.arange(image.size(-2)) + down).clamp(0, image.size(-2) - 1)
    columns = (torch.arange(image.size(-1)) + right).clamp(0, image.size(-1) - 1)
    if rng.random() < 0.5:
        columns = columns.flip(0)
    return image[:, rows][:, :, columns]


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random pictures and labels, of a batch's shapes: for tests and speed."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, config.channels, config.image_size, config.image_size)
    return {
        "images": torch.rand(shape, generator=generator) * 2 - 1,
        "labels": torch.randint(config.num_classes, (batch_size,), generator=generator),
    }


def prepare(config: Config) -> None:
    """Check the pictures that `config` asks for, and note the names of their classes."""
    corpus = Corpus(config)
    save_class_names(config, corpus.names)
    for split, indices in (("training", corpus.train), ("held-out", corpus.val)):
        if not indices:
            raise ValueError(f'--data "{config.data}" leaves no {split} pictures: it has too few')


def class_names(config: Config) -> list[str]:
    """The names of a run's classes; those of the built-in pictures before any training."""
    return read_class_names(config, CLASSES)


def open_pictures(config: Config) -> Pictures:
    """The pictures that `--data` names; without it the built-in ones."""
    path = Path(config.data)
    if not config.data:
        return SyntheticPictures(config)
    if path.is_file():
        return FilePictures(config, listed_files(path))
    if path.is_dir():
        return FilePictures(config, sorted_files(path))
    return HubPictures(config)


def sorted_files(folder: Path) -> list[tuple[Path, str]]:
    """The pictures below a folder; the folder that each lies in names its class."""
    files = [(p, p.parent.name) for p in picture_files(folder) if p.parent != folder]
    if not files:
        raise ValueError(f'--data "{folder}": no pictures in folders named after their classes')
    return files


def listed_files(table: Path) -> list[tuple[Path, str]]:
    """The pictures that a table with columns `path` and `label` lists; paths start beside it."""
    rows = list(table_rows(table))
    if not rows or not {"path", "label"} <= rows[0].keys():
        raise ValueError(f'--data "{table}": needs the columns path and label')
    return [(table.parent / row["path"], row["label"]) for row in rows]
