"""Texts: read as tokens, written token by token."""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .config import Config
from .synthetic import KINDS, Concept
from .tokenizer import load_tokenizer

known_tokenizer = cache(load_tokenizer)  # which every batch asks for

LEVELS = ("small", "middling", "large")


def make(name: str, known: Concept, config: Config, answer: bool) -> str:
    """What a text says about a concept, exactly or, as an answer, in a word."""
    if answer:
        return f"{LEVELS[int(known.level * len(LEVELS))]} {KINDS[known.kind]}"
    return f"{int(100 * known.level):02d} of 100: {KINDS[known.kind]}"


def load(name: str, cell: Any, config: Config, answer: bool) -> str:
    """The text of a cell."""
    return str(cell)


def learn(name: str, raws: list[str], config: Config) -> dict[str, Any]:
    """Nothing: both columns share a tokenizer."""
    return {}


def stack(
    name: str, raws: list[str], note: dict[str, Any], config: Config, answer: bool
) -> dict[str, Tensor]:
    """Tokens, filled with the end token, (B, S); answers begin and end with it and fill with -1."""
    tokenizer, length = known_tokenizer(config), config.context_length
    rows = [tokenizer.encode(text) for text in raws]
    if answer:
        rows = [[tokenizer.end, *ids[: length - 1], tokenizer.end] for ids in rows]
        filled = [ids + [-1] * (length + 1 - len(ids)) for ids in rows]
    else:
        filled = [ids[:length] + [tokenizer.end] * (length - len(ids)) for ids in rows]
    return {"tokens": torch.tensor(filled)}


def write(
    name: str, found: dict[str, Tensor], i: int, note: dict[str, Any], stem: Path, config: Config
) -> str:
    """Save the text of sample `i`; return it."""
    tokenizer = known_tokenizer(config)
    ids = found["text"][i].tolist()
    ids = ids[: ids.index(tokenizer.end)] if tokenizer.end in ids else ids
    text = tokenizer.decode(i for i in ids if i < len(tokenizer))
    stem.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    return text
