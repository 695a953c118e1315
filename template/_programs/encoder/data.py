"""Texts as tensors: examples prepared once on disk, and batches that are functions of the step.

`prepare` reads the examples (built in, tables, or a Hugging Face dataset), holds out a share of
them, trains the tokenizer where there is one to train, and writes token ids to
`<run_dir>/corpus/`. The batch of a step follows from (seed, step), so training resumes exactly and
does not depend on how many processes share a batch.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from torch import Tensor

from .codec import Codec
from .config import Config
from .corpus import corpus_folder, empty_corpus, fingerprint, read_record, write_record
from .examples import SUFFIXES, collate, describe, encode, random_example, read_examples
from .reading import files_at
from .tokenizer import ByteTokenizer, load_tokenizer

DECIDING = ("vocab_size", "text_length", "num_classes", "candidates")  # what a corpus is made for


class Corpus:
    """Training and held-out examples of a run, encoded."""

    def __init__(self, config: Config):
        folder = corpus_folder(config)
        self.config = config
        self.description = read_record(config)
        self.codec = load_codec(config)
        self.train = read_encoded(folder / "train.jsonl")
        self.val = read_encoded(folder / "val.jsonl")
        for name, examples in (("training", self.train), ("held-out", self.val)):
            if not examples:
                raise ValueError(f"--data leaves no {name} examples; it needs more of them")

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Examples `rows` of the step's global batch; none occurs twice if there are enough."""
        rng = Random(f"{self.config.seed}/batch/{step}")
        known, size = range(len(self.train)), self.config.global_batch
        chosen = rng.sample(known, size) if size <= len(known) else rng.choices(known, k=size)
        draws = [Random(f"{self.config.seed}/example/{step}/{row}") for row in rows]
        return self.batch([self.train[chosen[row]] for row in rows], draws)

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out examples in order, at most `limit` of them."""
        examples = self.val[:limit]
        for first in range(0, len(examples), batch_size):
            batch = examples[first : first + batch_size]
            rows = range(first, first + len(batch))
            draws = [Random(f"{self.config.seed}/held-out/{row}") for row in rows]
            yield self.batch(batch, draws)

    def batch(self, examples: list[dict[str, Any]], draws: list[Random]) -> dict[str, Tensor]:
        """Encoded examples as a batch for `loss`; each has random numbers of its own."""
        return collate(self.config, self.codec, examples, draws)


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random token ids in the shapes of a batch: for shapes and speed."""
    codec = Codec(ByteTokenizer())
    draws = [Random(f"{seed}/{row}") for row in range(batch_size)]
    examples = [random_example(config, codec, rng) for rng in draws]
    return collate(config, codec, examples, draws)


def load_codec(config: Config) -> Codec:
    """The tokenizer of a run with an encoder's special tokens."""
    codec = Codec(load_tokenizer(config))
    if len(codec) > config.vocab_size:
        raise ValueError(f"--vocab-size is below the {len(codec)} tokens in use")
    return codec


def prepare(config: Config) -> None:
    """Write the corpus of `config` to its run folder, unless it is there already."""
    source = fingerprint(config, files_at(config.data, SUFFIXES), *DECIDING)
    if read_record(config).get("source") == source:
        return
    folder = empty_corpus(config)
    if config.bpe and config.vocab_size > ByteTokenizer.rows:
        from .bpe import train_bpe, vocabulary
        from .examples import texts_of

        training = (example for example, held_out in split_examples(config) if not held_out)
        texts = (text for example in training for text in texts_of(example))
        train_bpe(texts, config.vocab_size - Codec.added, vocabulary(config))
    codec = load_codec(config)
    description = {"source": source} | describe(config)
    write_examples(config, codec, description, folder)
    write_record(config, description)


def write_examples(config: Config, codec: Codec, description: dict[str, Any], folder: Path) -> None:
    """Encode every example into `train.jsonl` or `val.jsonl`."""
    with (
        open(folder / "train.jsonl", "w", encoding="utf-8") as train,
        open(folder / "val.jsonl", "w", encoding="utf-8") as val,
    ):
        for example, held_out in split_examples(config):
            for encoded in encode(example, codec, config, description):
                (val if held_out else train).write(json.dumps(encoded) + "\n")


def split_examples(config: Config) -> Iterator[tuple[dict[str, Any], bool]]:
    """Every example, and whether it is held out: a seeded draw for each."""
    rng = Random(f"{config.seed}/split")
    for example in read_examples(config):
        yield example, rng.random() < config.val_fraction


def held_out_examples(config: Config, count: int) -> list[dict[str, Any]]:
    """The first `count` examples that training never sees."""
    kept = (example for example, held_out in split_examples(config) if held_out)
    return [example for example, _ in zip(kept, range(count), strict=False)]


def read_encoded(path: Path) -> list[dict[str, Any]]:
    """The examples of one file."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]
