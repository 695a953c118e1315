"""Pairs of texts as tensors, prepared once on disk; batches are functions of the step.

`prepare` reads pairs of source and target (built in, files, or a Hugging Face dataset), holds out
a share of them, trains the tokenizer where there is one to train, and writes token ids to
`<run_dir>/corpus/`. The batch of a step follows from (seed, step), so training resumes exactly and
does not depend on how many processes share a batch.
"""

import csv
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from .config import Config
from .corpus import corpus_folder, empty_corpus, fingerprint, read_record, write_record
from .reading import dataset_rows, files_at, table_rows
from .synthetic import synthetic_pairs
from .tokenizer import Tokenizer, load_tokenizer

PAIR_SUFFIXES = (".tsv", ".jsonl")
COLUMNS = (("source", "target"), ("document", "summary"), ("article", "highlights"))


class Pairs:
    """Sources and targets of one split, as token ids mapped from disk."""

    def __init__(self, folder: Path, split: str, sizes: dict[str, int]):
        self.ids = map_tokens(folder / f"{split}.bin", sizes["tokens"])
        ends = map_tokens(folder / f"{split}.ends", 2 * sizes["pairs"]).tolist()
        self.ends = [0, *ends]

    def __len__(self) -> int:
        return len(self.ends) // 2

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        first, middle, last = self.ends[2 * index : 2 * index + 3]
        return self.ids[first:middle], self.ids[middle:last]


class Corpus:
    """Training and held-out pairs."""

    def __init__(self, config: Config):
        folder, sizes = corpus_folder(config), read_record(config)["sizes"]
        self.config = config
        self.tokenizer = load_tokenizer(config)
        self.train, self.val = (Pairs(folder, split, sizes[split]) for split in ("train", "val"))
        if not len(self.train) or not len(self.val):
            raise ValueError("--data leaves no pairs to train on or to hold out; give it more")

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Pairs `rows` of the step's global batch, padded to `train_length`."""
        rng = Random(f"{self.config.seed}/batch/{step}")
        picked = [rng.randrange(len(self.train)) for _ in range(self.config.global_batch)]
        return self.batch([self.train[picked[row]] for row in rows])

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out pairs in order, at most `limit` of them."""
        count = len(self.val) if limit is None else min(len(self.val), limit)
        for first in range(0, count, batch_size):
            last = min(first + batch_size, count)
            yield self.batch([self.val[row] for row in range(first, last)])

    def batch(self, pairs: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """Pairs as {"source": (B, S), "mask": (B, S), "target": (B, T + 1)}; see `loss`."""
        longest = self.config.train_length
        sources = [cut(source, longest, self.tokenizer.end) for source, _ in pairs]
        targets = [cut(target, longest, self.tokenizer.end) for _, target in pairs]
        size = max(map(len, sources))
        source = torch.full((len(pairs), size), self.tokenizer.end)
        mask = torch.zeros(len(pairs), size, dtype=torch.bool)
        target = torch.full((len(pairs), max(map(len, targets)) + 1), -1)
        target[:, 0] = self.tokenizer.end  # which also starts a target
        for row, (read, written) in enumerate(zip(sources, targets, strict=True)):
            source[row, : len(read)], mask[row, : len(read)] = read, True
            target[row, 1 : len(written) + 1] = written
        return {"source": source, "mask": mask, "target": target}


def cut(ids: Tensor, longest: int, end: int) -> Tensor:
    """Token ids and the one that ends them, at most `longest` in all."""
    return torch.cat((ids[: longest - 1].long(), torch.tensor([end])))


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random token ids of full length: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    length = config.train_length
    target = torch.randint(config.vocab_size, (batch_size, length + 1), generator=generator)
    source = torch.randint(config.vocab_size, (batch_size, length), generator=generator)
    return {"source": source, "mask": torch.ones_like(source, dtype=torch.bool), "target": target}


def longest_source(config: Config) -> Tensor:
    """A source of full length, (1, S): for speed."""
    return torch.zeros(1, config.context_length, dtype=torch.long)


def prepare(config: Config) -> None:
    """Write the corpus of `config` to its run folder, unless it is there already."""
    source = fingerprint(config, files_at(config.data, PAIR_SUFFIXES), "vocab_size")
    if read_record(config).get("source") == source:
        return
    folder = empty_corpus(config)
    if config.bpe:
        from .bpe import learn_tokens

        training = (pair for pair, held_out in split_pairs(config) if not held_out)
        learn_tokens((text for pair in training for text in pair), config)
    sizes = write_tokens(config, load_tokenizer(config), folder)
    write_record(config, {"source": source, "sizes": sizes})


def write_tokens(config: Config, tokenizer: Tokenizer, folder: Path) -> dict[str, dict[str, int]]:
    """Encode every pair into its split; return the splits' sizes in pairs and tokens."""
    ids = {"train": array("i"), "val": array("i")}
    ends = {"train": array("i"), "val": array("i")}
    for pair, held_out in split_pairs(config):
        split = "val" if held_out else "train"
        for text in pair:
            ids[split].extend(tokenizer.encode(text))
            ends[split].append(len(ids[split]))
    for split in ids:
        (folder / f"{split}.bin").write_bytes(ids[split].tobytes())
        (folder / f"{split}.ends").write_bytes(ends[split].tobytes())
    return {s: {"pairs": len(ends[s]) // 2, "tokens": len(ids[s])} for s in ids}


def split_pairs(config: Config) -> Iterator[tuple[tuple[str, str], bool]]:
    """Every pair, and whether it is held out: a draw from the seed and the source alone.

    A source that comes twice is on one side, so nothing held out was seen in training.
    """
    for pair in pairs(config):
        draw = Random(f"{config.seed}/split/{pair[0]}").random()
        yield pair, draw < config.val_fraction


def pairs(config: Config) -> Iterable[tuple[str, str]]:
    """The pairs that `--data` names; without it the built-in ones."""
    if not config.data:
        return synthetic_pairs(config)
    if Path(config.data).exists():
        return (pair for path in files_at(config.data, PAIR_SUFFIXES) for pair in read_pairs(path))
    return (pair_of(row, config.data) for row in dataset_rows(config.data))


def read_pairs(path: Path) -> Iterator[tuple[str, str]]:
    """The pairs of one file: two columns of .tsv, or "source" and "target" of each .jsonl line."""
    if path.suffix == ".jsonl":
        yield from (pair_of(row, str(path)) for row in table_rows(path))
        return
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        for number, row in enumerate(rows, 1):
            if len(row) != 2:
                raise ValueError(f"--data {path}:{number}: {len(row)} columns instead of two")
            yield row[0], row[1]


def pair_of(row: dict, where: str) -> tuple[str, str]:
    """Source and target of one record, under the names that datasets use."""
    if "translation" in row:  # {"translation": {"de": ..., "en": ...}}
        source, target = list(row["translation"].values())[:2]
        return source, target
    for names in COLUMNS:
        if all(name in row for name in names):
            return row[names[0]], row[names[1]]
    raise ValueError(f'--data {where}: a record has no "source" and "target"')


def map_tokens(path: Path, size: int) -> Tensor:
    """A file of 32-bit numbers as a tensor, (size,), read as it is used."""
    if size == 0:
        return torch.empty(0, dtype=torch.int32)
    return torch.from_file(str(path), size=size, dtype=torch.int32)
