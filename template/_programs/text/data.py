"""Text as tensors: a corpus prepared once on disk, and batches that are functions of the step.

`prepare` reads the text (built in, files, or a Hugging Face dataset), holds out a share of it,
trains the tokenizer where there is one to train, and writes token ids to `<run_dir>/corpus/`.
`Corpus` maps those files into memory. Nothing depends on what was read before: the batch of a step
follows from (seed, step), so training resumes exactly and does not depend on how many
processes share a batch.
"""

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from .config import Config
from .corpus import corpus_folder, empty_corpus, fingerprint, read_record, write_record
from .reading import dataset_rows, files_at, table_rows
from .synthetic import synthetic_documents
from .tokenizer import Tokenizer, load_tokenizer

TEXT_SUFFIXES = (".txt", ".md", ".jsonl")
PASSAGE = 2_000  # characters, roughly: the unit that is held out or not


class Corpus:
    """Training and held-out token ids, (N,) each, mapped from disk."""

    def __init__(self, config: Config):
        folder, sizes = corpus_folder(config), read_record(config)["tokens"]
        self.config = config
        self.tokenizer = load_tokenizer(config)
        self.train = map_tokens(folder / "train.bin", sizes["train"])
        self.val = map_tokens(folder / "val.bin", sizes["val"])
        for name, tokens in (("training", self.train), ("held-out", self.val)):
            if len(tokens) <= config.train_length:
                raise ValueError(
                    f"--data leaves {len(tokens)} {name} tokens; --train-length "
                    f"{config.train_length} needs more text or a shorter sequence"
                )

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Sequences `rows` of the step's global batch, as {"tokens": (len(rows), T + 1)}."""
        length = self.config.train_length + 1
        rng = Random(f"{self.config.seed}/batch/{step}")
        last = len(self.train) - length
        starts = [rng.randint(0, last) for _ in range(self.config.global_batch)]
        return stack(self.train[starts[row] : starts[row] + length] for row in rows)

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out text from its start, in order, at most `limit` sequences of it."""
        length = self.config.train_length
        count = (len(self.val) - 1) // length
        count = count if limit is None else min(count, limit)
        for first in range(0, count, batch_size):
            starts = [row * length for row in range(first, min(first + batch_size, count))]
            yield stack(self.val[start : start + length + 1] for start in starts)


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random token ids, {"tokens": (batch_size, train_length + 1)}: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, config.train_length + 1)
    return {"tokens": torch.randint(config.vocab_size, shape, generator=generator)}


def prepare(config: Config) -> None:
    """Write the corpus of `config` to its run folder, unless it is there already."""
    source = fingerprint(config, files_at(config.data, TEXT_SUFFIXES), "vocab_size")
    if read_record(config).get("source") == source:
        return
    folder = empty_corpus(config)
    if config.bpe:
        from .bpe import learn_tokens

        learn_tokens((text for text, held_out in split_passages(config) if not held_out), config)
    sizes = write_tokens(config, load_tokenizer(config), folder)
    write_record(config, {"source": source, "tokens": sizes})


def write_tokens(config: Config, tokenizer: Tokenizer, folder: Path) -> dict[str, int]:
    """Encode every passage into `train.bin` or `val.bin`; return their lengths in tokens."""
    sizes = {"train": 0, "val": 0}
    with open(folder / "train.bin", "wb") as train, open(folder / "val.bin", "wb") as val:
        for text, held_out in split_passages(config):
            ids = array("i", [*tokenizer.encode(text), tokenizer.end])
            ids.tofile(val if held_out else train)
            sizes["val" if held_out else "train"] += len(ids)
    return sizes


def split_passages(config: Config) -> Iterator[tuple[str, bool]]:
    """Every passage of the text, and whether it is held out: a seeded draw for each."""
    rng = Random(f"{config.seed}/split")
    for document in documents(config):
        for passage in passages(document):
            yield passage, rng.random() < config.val_fraction


def passages(document: str) -> Iterator[str]:
    """Cut a document at the first line end after every `PASSAGE` characters."""
    start = 0
    while start < len(document):
        newline = document.find("\n", start + PASSAGE)
        end = newline + 1 if newline >= 0 else len(document)
        yield document[start:end]
        start = end


def documents(config: Config) -> Iterable[str]:
    """The texts that `--data` names; without it the built-in ones."""
    if not config.data:
        return synthetic_documents(config.seed)
    if Path(config.data).exists():
        return (
            text for path in files_at(config.data, TEXT_SUFFIXES) for text in read_documents(path)
        )
    return (row["text"] for row in dataset_rows(config.data))


def read_documents(path: Path) -> Iterator[str]:
    """The documents of one file: the "text" of each line of .jsonl, otherwise the whole file."""
    if path.suffix == ".jsonl":
        yield from (row["text"] for row in table_rows(path))
    else:
        yield path.read_text(encoding="utf-8", errors="replace")


def map_tokens(path: Path, size: int) -> Tensor:
    """A file of 32-bit token ids as a tensor, (size,), read as it is used."""
    if size == 0:
        return torch.empty(0, dtype=torch.int32)
    return torch.from_file(str(path), size=size, dtype=torch.int32)


def stack(rows: Iterable[Tensor]) -> dict[str, Tensor]:
    """Rows of token ids as a batch for `loss`."""
    return {"tokens": torch.stack(list(rows)).long()}
