"""The texts of samples as token ids."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .config import Config
from .tokenizer import ByteTokenizer, Tokenizer


def read(rows: list[dict[str, Any]], config: Config) -> dict[str, Tensor]:
    """Texts as ids, cut or filled with the end token to `context_length`, (B, S)."""
    tokenizer, length = load_tokenizer(config), config.context_length
    texts = [tokenizer.encode(row["text"])[:length] for row in rows]
    filled = [ids + [tokenizer.end] * (length - len(ids)) for ids in texts]
    return {"tokens": torch.tensor(filled)}


def learn_tokenizer(texts: Iterable[str], config: Config) -> None:
    """Learn a vocabulary from texts, where there is one to learn."""
    if config.bpe and config.vocab_size > ByteTokenizer.rows:
        from .bpe import train_bpe

        train_bpe(texts, config.vocab_size, vocabulary(config))
    if len(load_tokenizer(config)) > config.vocab_size:
        raise ValueError("--vocab-size is below the number of tokens of the tokenizer")


@cache
def load_tokenizer(config: Config) -> Tokenizer:
    """The tokenizer of a run: bytes, or what was learned."""
    if config.bpe and config.vocab_size > ByteTokenizer.rows:
        from .bpe import BPETokenizer

        return BPETokenizer(vocabulary(config))
    return ByteTokenizer()


def vocabulary(config: Config) -> Path:
    """Where a learned vocabulary lies."""
    return Path(config.run_dir) / "corpus" / "tokenizer.json"
