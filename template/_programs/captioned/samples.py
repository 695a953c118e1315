"""What a pair becomes for the model: its text as token ids."""

from collections.abc import Iterable

import torch
from torch import Tensor

from .config import Config
from .synthetic import scene
from .tokenizer import Tokenizer


def written(number: int) -> dict[str, str]:
    """What the built-in data say about a scene."""
    return {"text": scene(number).caption}


def collate(
    pairs: Iterable[dict[str, str]], tokenizer: Tokenizer, config: Config
) -> dict[str, Tensor]:
    """The texts of pairs as {"tokens": (B, T), "ends": (B,)}."""
    tokens, ends = encode((pair["text"] for pair in pairs), tokenizer, config)
    return {"tokens": tokens, "ends": ends}


def encode(texts: Iterable[str], tokenizer: Tokenizer, config: Config) -> tuple[Tensor, Tensor]:
    """Texts as token ids, (B, T), closed and filled with the end token, and where each is read."""
    length = config.context_length
    rows, ends = [], []
    for text in texts:
        ids = tokenizer.encode(text)[: length - 1]
        if config.text_pool == "end":
            ends.append(len(ids))
        else:
            ends.append(length - 1)
        rows.append(ids + [tokenizer.end] * (length - len(ids)))
    return torch.tensor(rows), torch.tensor(ends)


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random token ids and pixels in the shapes of a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    length, side = config.context_length, config.image_size
    shape = (batch_size, config.channels, side, side)
    return {
        "tokens": torch.randint(config.vocab_size, (batch_size, length), generator=generator),
        "ends": torch.full((batch_size,), length - 1),
        "images": torch.rand(shape, generator=generator) * 2 - 1,
    }
