"""Pictures as tensors: batches that are functions of the seed and the step.

The pictures are the built-in ones, or what `--data` names: a folder with pictures anywhere below
it, a CSV with a column `path`, or a Hugging Face dataset with a column `image`. A seeded draw for
each picture decides whether it is held out. The noise that codes are drawn with comes with the
batch, so training resumes exactly and does not depend on how many processes share a batch.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .config import Config
from .model import latent_shape
from .pictures import picture_files, read_picture, to_tensor
from .reading import dataset_rows, table_rows
from .synthetic import synthetic_picture

SYNTHETIC = 6_000  # built-in pictures


class Pictures(Protocol):
    """Pictures by number."""

    def __len__(self) -> int:
        """Number of pictures."""

    def read(self, index: int) -> np.ndarray:
        """A picture, (side, side, channels) bytes."""


class SyntheticPictures:
    """The built-in ones."""

    def __init__(self, config: Config):
        self.config = config

    def __len__(self) -> int:
        return SYNTHETIC

    def read(self, index: int) -> np.ndarray:
        config = self.config
        return synthetic_picture(config.seed, index, config.image_size, config.channels)


class FilePictures:
    """Picture files."""

    def __init__(self, config: Config, files: Sequence[Path]):
        self.config, self.files = config, files

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> np.ndarray:
        return read_picture(self.files[index], self.config.image_size, self.config.channels)


class HubPictures:
    """The training split of a Hugging Face dataset."""

    def __init__(self, config: Config):
        self.config = config
        self.rows = dataset_rows(config.data)

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> np.ndarray:
        picture = self.rows[index]["image"]
        return read_picture(picture, self.config.image_size, self.config.channels)


class Corpus:
    """Training and held-out pictures."""

    def __init__(self, config: Config):
        self.config = config
        self.pictures = open_pictures(config)
        rng = Random(f"{config.seed}/split")
        held_out = [rng.random() < config.val_fraction for _ in range(len(self.pictures))]
        self.train = [i for i, out in enumerate(held_out) if not out]
        self.val = [i for i, out in enumerate(held_out) if out]
        self.readers = ThreadPoolExecutor(4)

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Pictures `rows` of the step's global batch, half of them mirrored.

        images (B, C, Y, X) and the noise of their codes, posterior_noise (B, Z, y, x).
        """
        config = self.config
        rng = Random(f"{config.seed}/batch/{step}")
        chosen = rng.choices(self.train, k=config.global_batch)
        mirrored = torch.tensor([rng.random() < 0.5 for _ in chosen])
        images = self.images([chosen[row] for row in rows])
        flips = mirrored[rows.start : rows.stop, None, None, None]
        images = torch.where(flips, images.flip(-1), images)
        return {"images": images, "posterior_noise": noise(config, [(step, row) for row in rows])}

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out pictures, in order, at most `limit` of them."""
        chosen = self.val[:limit]
        for first in range(0, len(chosen), batch_size):
            indices = chosen[first : first + batch_size]
            drawn = noise(self.config, [(index,) for index in indices])
            yield {"images": self.images(indices), "posterior_noise": drawn}

    def images(self, indices: Sequence[int]) -> Tensor:
        """Pictures by number, (B, C, Y, X)."""
        return to_tensor(list(self.readers.map(self.pictures.read, indices)))


def noise(config: Config, keys: Sequence[tuple[int, ...]]) -> Tensor:
    """Normal noise in the shape of codes, (B, Z, y, x), each a function of the seed and its key."""
    shape = latent_shape(config)
    drawn = [np.random.default_rng((config.seed, *key)).standard_normal(shape) for key in keys]
    return torch.from_numpy(np.stack(drawn)).float()


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random pictures and noise, of a batch's shapes: for tests and speed."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, config.channels, config.image_size, config.image_size)
    return {
        "images": torch.rand(shape, generator=generator) * 2 - 1,
        "posterior_noise": torch.randn((batch_size, *latent_shape(config)), generator=generator),
    }


def prepare(config: Config) -> None:
    """Check the pictures that `config` asks for."""
    corpus = Corpus(config)
    for split, indices in (("training", corpus.train), ("held-out", corpus.val)):
        if not indices:
            raise ValueError(f'--data "{config.data}" leaves no {split} pictures: it has too few')
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)


def open_pictures(config: Config) -> Pictures:
    """The pictures that `--data` names; without it the built-in ones."""
    path = Path(config.data)
    if not config.data:
        return SyntheticPictures(config)
    if path.is_file():
        return FilePictures(config, listed_files(path))
    if path.is_dir():
        return FilePictures(config, picture_files(path))
    return HubPictures(config)


def listed_files(table: Path) -> list[Path]:
    """The pictures that a table with a column `path` lists; paths start beside it."""
    rows = list(table_rows(table))
    if not rows or "path" not in rows[0]:
        raise ValueError(f'--data "{table}": needs the column path')
    return [table.parent / row["path"] for row in rows]
