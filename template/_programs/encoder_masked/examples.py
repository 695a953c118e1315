"""Examples of masked language: pieces of text, some of whose tokens are to be restored."""

from collections.abc import Iterator
from random import Random
from typing import Any

import torch
from torch import Tensor

from .codec import Codec
from .config import Config
from .rows import TABLES, TEXTS, cell, read_rows
from .synthetic import synthetic_documents

SUFFIXES = (*TEXTS, *TABLES)
SHORTEST = 16  # tokens of a piece that is worth reading
IGNORED = -100  # the target of a token that is not asked for


def read_examples(config: Config) -> Iterator[dict[str, str]]:
    """Documents: text files and columns "text" of `--data`; without it the built-in ones."""
    if not config.data:
        yield from ({"text": text} for text in synthetic_documents(config.seed))
        return
    for row in read_rows(config.data, SUFFIXES):
        yield {"text": cell(row, "text", "sentence", "content")}


def texts_of(example: dict[str, str]) -> list[str]:
    """What a tokenizer learns from."""
    return [example["text"]]


def describe(config: Config) -> dict[str, Any]:
    """Nothing beyond the text itself."""
    return {}


def encode(
    example: dict[str, str], codec: Codec, config: Config, description: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The pieces of a document, each of at most `text_length` tokens."""
    ids = codec.tokenizer.encode(example["text"])
    size = config.text_length - 2
    for first in range(0, len(ids), size):
        piece = ids[first : first + size]
        if len(piece) >= min(SHORTEST, size):
            yield {"tokens": [codec.start, *piece, codec.stop]}


def random_example(config: Config, codec: Codec, rng: Random) -> dict[str, Any]:
    """A piece of noise."""
    return {"tokens": codec.noise(config.text_length, rng)}


def collate(
    config: Config, codec: Codec, examples: list[dict[str, Any]], draws: list[Random]
) -> dict[str, Tensor]:
    """{"tokens": (B, T), "seen": (B, T), "targets": (B, T)}: a share of each text is asked for.

    Of the tokens asked for, 80 % are hidden, 10 % replaced by others and 10 % left (Devlin et al.
    2019, section 3.1).
    """
    rows = [example["tokens"] for example in examples]
    asked = [
        hide(row, config.mask_fraction, codec, rng) for row, rng in zip(rows, draws, strict=True)
    ]
    batch = codec.stack([row for row, _ in asked])
    targets = torch.full_like(batch["tokens"], IGNORED)
    for target, (_, answers) in zip(targets, asked, strict=True):
        target[list(answers)] = torch.tensor(list(answers.values()))
    return batch | {"targets": targets}


def hide(
    row: list[int], share: float, codec: Codec, rng: Random
) -> tuple[list[int], dict[int, int]]:
    """A row with some of its tokens changed, and what stood there, by place."""
    inner = range(1, len(row) - 1)
    places = rng.sample(inner, max(1, round(share * len(inner))))
    changed = list(row)
    for place in places:
        chance = rng.random()
        if chance < 0.8:
            changed[place] = codec.hidden
        elif chance < 0.9:
            changed[place] = rng.randrange(len(codec.tokenizer))
    return changed, {place: row[place] for place in places}
