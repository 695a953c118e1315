"""Prompts as token ids."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from .config import Config
from .tokenizer import ByteTokenizer, Tokenizer


def learn_tokens(texts: Iterable[str], config: Config, folder: Path) -> None:
    """Learn the tokens of a run from its texts, if there are any to learn."""
    if config.bpe and config.vocab_size > ByteTokenizer.rows:
        from .bpe import train_bpe

        train_bpe(texts, config.vocab_size, folder / "tokenizer.json")


def load_tokenizer(config: Config, folder: Path) -> Tokenizer:
    """The tokenizer of a run: bytes, or what `learn_tokens` found."""
    if config.bpe and config.vocab_size > ByteTokenizer.rows:
        from .bpe import BPETokenizer

        return BPETokenizer(folder / "tokenizer.json")
    return ByteTokenizer()


def encode(texts: Sequence[str], tokenizer: Tokenizer, length: int) -> Tensor:
    """Texts as token ids, (B, length), closed and filled with the end token."""
    rows = [tokenizer.encode(text)[: length - 1] for text in texts]
    return torch.tensor([row + [tokenizer.end] * (length - len(row)) for row in rows])
