"""Examples of contrastive learning: two texts that mean the same."""

from collections.abc import Iterator
from random import Random
from typing import Any

from torch import Tensor

from .codec import Codec
from .config import Config
from .rows import TABLES, cell, read_rows
from .synthetic import synthetic_examples

SUFFIXES = TABLES

#: Names of the two columns of `--data`; the first that a row has counts.
LEFT = ("left", "query", "anchor", "sentence1", "question", "text_a")
RIGHT = ("right", "passage", "positive", "sentence2", "answer", "text_b")


def read_examples(config: Config) -> Iterator[dict[str, str]]:
    """Pairs: two columns of `--data`, such as "query" and "passage"; without it those built in."""
    if not config.data:
        yield from synthetic_examples(config.seed)
        return
    for row in read_rows(config.data):
        yield {"left": cell(row, *LEFT), "right": cell(row, *RIGHT)}


def texts_of(example: dict[str, str]) -> list[str]:
    """What a tokenizer learns from."""
    return [example["left"], example["right"]]


def describe(config: Config) -> dict[str, Any]:
    """Nothing beyond the pairs themselves."""
    return {}


def encode(
    example: dict[str, str], codec: Codec, config: Config, description: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The token ids of both texts."""
    yield {side: codec.encode(example[side], config.text_length) for side in ("left", "right")}


def random_example(config: Config, codec: Codec, rng: Random) -> dict[str, Any]:
    """Two texts of noise."""
    return {side: codec.noise(config.text_length, rng) for side in ("left", "right")}


def collate(
    config: Config, codec: Codec, examples: list[dict[str, Any]], draws: list[Random]
) -> dict[str, Tensor]:
    """{"tokens": (2 * B, T), "seen": (2 * B, T)}, partners one after the other."""
    return codec.stack([example[side] for example in examples for side in ("left", "right")])
