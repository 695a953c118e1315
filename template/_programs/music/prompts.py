"""Prompts as token ids."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from .config import Config
from .tokenizer import ByteTokenizer, Tokenizer


def encode(texts: Iterable[str], tokenizer: Tokenizer, config: Config) -> Tensor:
    """Prompts as token ids, (B, S), closed and filled with the end token."""
    length = config.prompt_length
    rows = []
    for text in texts:
        ids = tokenizer.encode(text)[: length - 1]
        rows.append(ids + [tokenizer.end] * (length - len(ids)))
    return torch.tensor(rows)


def load_tokenizer(config: Config, folder: Path) -> Tokenizer:
    """The tokenizer of a prepared corpus: bytes, or what was learned."""
    if config.bpe and config.vocab_size > ByteTokenizer.rows:
        from .bpe import BPETokenizer

        return BPETokenizer(folder / "tokenizer.json")
    return ByteTokenizer()


def learn_tokenizer(config: Config, folder: Path, texts: Iterable[str]) -> None:
    """Learn what `load_tokenizer` loads, where there is something to learn."""
    if config.bpe and config.vocab_size > ByteTokenizer.rows:
        from .bpe import train_bpe

        train_bpe(texts, config.vocab_size, folder / "tokenizer.json")
    if len(load_tokenizer(config, folder)) > config.vocab_size:
        raise ValueError("--vocab-size is below the number of tokens of the tokenizer")
