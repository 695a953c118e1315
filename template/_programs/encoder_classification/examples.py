"""Examples of classification: a text and its label."""

from collections.abc import Iterator
from random import Random
from typing import Any

import torch
from torch import Tensor

from .codec import Codec
from .config import Config
from .rows import TABLES, cell, read_rows
from .synthetic import synthetic_examples

SUFFIXES = TABLES


def read_examples(config: Config) -> Iterator[dict[str, str]]:
    """The columns "text" and "label" of `--data`; without it the built-in texts."""
    if not config.data:
        yield from synthetic_examples(config.seed, config.num_classes)
        return
    for row in read_rows(config.data):
        text = cell(row, "text", "sentence", "content")
        yield {"text": text, "label": cell(row, "label", "labels", "category")}


def texts_of(example: dict[str, str]) -> list[str]:
    """What a tokenizer learns from."""
    return [example["text"]]


def describe(config: Config) -> dict[str, Any]:
    """The names of the classes, sorted."""
    labels = sorted({example["label"] for example in read_examples(config)})
    if len(labels) > config.num_classes:
        raise ValueError(f"--data has {len(labels)} labels; --num-classes is {config.num_classes}")
    return {"labels": labels}


def encode(
    example: dict[str, str], codec: Codec, config: Config, description: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The token ids of a text and the number of its class."""
    label = description["labels"].index(example["label"])
    yield {"tokens": codec.encode(example["text"], config.text_length), "label": label}


def random_example(config: Config, codec: Codec, rng: Random) -> dict[str, Any]:
    """A text of noise with a random label."""
    tokens = codec.noise(config.text_length, rng)
    return {"tokens": tokens, "label": rng.randrange(config.num_classes)}


def collate(
    config: Config, codec: Codec, examples: list[dict[str, Any]], draws: list[Random]
) -> dict[str, Tensor]:
    """{"tokens": (B, T), "seen": (B, T), "labels": (B,)}."""
    labels = torch.tensor([example["label"] for example in examples])
    return codec.stack([example["tokens"] for example in examples]) | {"labels": labels}
