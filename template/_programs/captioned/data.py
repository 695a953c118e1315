"""Pairs as tensors: pictures and texts listed once, and batches that are functions of the step.

`prepare` lists the pairs (built in, files, or a Hugging Face dataset), holds out a share of them,
trains the tokenizer where there is one to train, and writes `<run_dir>/corpus/`. The batch of a
step follows from (seed, step), so training resumes exactly and does not depend on how many
processes share a batch.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import numpy as np
from torch import Tensor

from .config import Config
from .corpus import corpus_folder, empty_corpus, fingerprint, read_record, write_record
from .pictures import read_picture, to_tensor
from .reading import files_at
from .records import read_records
from .samples import collate, synthetic_batch, written
from .synthetic import SCENES, draw
from .tokenizer import load_tokenizer

__all__ = ["Corpus", "prepare", "synthetic_batch"]

BUILT_IN = "scene/"  # before the number of a picture that is drawn when it is needed


class Corpus:
    """Training and held-out pairs: dictionaries of `image`, where the picture is, and `text`."""

    def __init__(self, config: Config):
        self.config, record = config, read_record(config)
        self.tokenizer = load_tokenizer(config)
        self.train, self.val = record["train"], record["val"]
        for name, pairs in (("training", self.train), ("held-out", self.val)):
            if len(pairs) < 2:
                raise ValueError(f"--data leaves {len(pairs)} {name} pairs; at least 2 are needed")

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Pairs `rows` of the step's global batch, which repeats none if there are enough."""
        rng = Random(f"{self.config.seed}/batch/{step}")
        size, everything = self.config.global_batch, range(len(self.train))
        enough = size <= len(everything)
        chosen = rng.sample(everything, size) if enough else rng.choices(everything, k=size)
        return self.stack(self.train[chosen[row]] for row in rows)

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out pairs in order, at most `limit` of them."""
        pairs = self.val[:limit]
        for first in range(0, len(pairs), batch_size):
            yield self.stack(pairs[first : first + batch_size])

    def stack(self, pairs: Iterable[dict[str, str]]) -> dict[str, Tensor]:
        """Pairs as a batch; see `samples.collate` for what is beside the images, (B, C, Y, X)."""
        pairs = list(pairs)
        images = to_tensor([load_picture(pair["image"], self.config) for pair in pairs])
        return collate(pairs, self.tokenizer, self.config) | {"images": images}


def load_picture(name: str, config: Config) -> np.ndarray:
    """The picture called `name`, (size, size, channels) bytes."""
    size, channels = config.image_size, config.channels
    if name.startswith(BUILT_IN):
        return draw(int(name.removeprefix(BUILT_IN)), size, channels)
    return read_picture(Path(name), size, channels)


def prepare(config: Config) -> None:
    """Write the corpus of `config` to its run folder, unless it is there already."""
    source = fingerprint(config, files_at(config.data), "vocab_size")
    if read_record(config).get("source") == source:
        return
    empty_corpus(config)
    record = {"source": source, "train": [], "val": []}
    rng = Random(f"{config.seed}/split")
    for pair in records(config):
        record["val" if rng.random() < config.val_fraction else "train"].append(pair)
    if not record["train"]:
        raise ValueError(f'--data "{config.data}": no pairs of a picture and a text there')
    if config.bpe:
        from .bpe import learn_tokens

        words = ([v for k, v in pair.items() if k != "image"] for pair in record["train"])
        learn_tokens(map("\n".join, words), config)
    write_record(config, record)


def records(config: Config) -> Iterator[dict[str, str]]:
    """The pairs that `--data` names; without it the built-in ones, in an order of the seed's."""
    if config.data:
        yield from read_records(config.data, corpus_folder(config) / "pictures")
    else:
        for number in Random(f"{config.seed}/order").sample(range(SCENES), SCENES):
            yield {"image": f"{BUILT_IN}{number}", **written(number)}
