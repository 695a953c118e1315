"""The texts of samples as token ids."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from .config import Config
from .tokenizer import load_tokenizer

known_tokenizer = cache(load_tokenizer)  # which every batch asks for


def read(rows: list[dict[str, Any]], config: Config) -> dict[str, Tensor]:
    """Texts as ids, cut or filled with the end token to `context_length`, (B, S)."""
    tokenizer, length = known_tokenizer(config), config.context_length
    texts = [tokenizer.encode(row["text"])[:length] for row in rows]
    filled = [ids + [tokenizer.end] * (length - len(ids)) for ids in texts]
    return {"tokens": torch.tensor(filled)}
