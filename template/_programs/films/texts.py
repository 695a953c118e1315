"""Prompts as token ids."""

from collections.abc import Iterable

import torch
from torch import Tensor

from .config import Config
from .tokenizer import ByteTokenizer, Tokenizer


class Prompts:
    """Texts to token ids, (B, S), closed and filled with the end token."""

    def __init__(self, config: Config):
        self.length, self.tokenizer = config.prompt_length, load_tokenizer(config)

    def __call__(self, texts: Iterable[str]) -> Tensor:
        end = self.tokenizer.end
        rows = [self.tokenizer.encode(text)[: self.length - 1] for text in texts]
        return torch.tensor([ids + [end] * (self.length - len(ids)) for ids in rows])


def load_tokenizer(config: Config) -> Tokenizer:
    """The tokenizer of a run: bytes, or what `learn_tokens` learned."""
    if config.bpe and config.vocab_size > ByteTokenizer.rows:
        from pathlib import Path

        from .bpe import BPETokenizer

        return BPETokenizer(Path(config.run_dir) / "tokenizer.json")
    return ByteTokenizer()


def learn_tokens(texts: Iterable[str], config: Config) -> None:
    """Learn the vocabulary of a run, where it is not bytes."""
    if config.bpe and config.vocab_size > ByteTokenizer.rows:
        from pathlib import Path

        from .bpe import train_bpe

        train_bpe(texts, config.vocab_size, Path(config.run_dir) / "tokenizer.json")
    if len(load_tokenizer(config)) > config.vocab_size:
        raise ValueError("--vocab-size is below the number of tokens of the tokenizer")
