"""Prompts as token ids."""

from collections.abc import Iterable

import torch
from torch import Tensor

from .config import Config
from .tokenizer import Tokenizer


def encode(texts: Iterable[str], tokenizer: Tokenizer, config: Config) -> Tensor:
    """Prompts as token ids, (B, S), closed and filled with the end token."""
    length = config.prompt_length
    rows = [tokenizer.encode(text)[: length - 1] for text in texts]
    return torch.tensor([ids + [tokenizer.end] * (length - len(ids)) for ids in rows])
