"""Texts as rows of token ids, with the special tokens of an encoder."""

from collections.abc import Iterable
from random import Random

import torch
from torch import Tensor

from .tokenizer import Tokenizer


class Codec:
    """A tokenizer whose texts start and stop, can be padded, and can have tokens hidden."""

    added = 4  # tokens beyond those of the tokenizer

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        first = len(tokenizer)
        self.pad, self.start, self.stop, self.hidden = range(first, first + self.added)

    def __len__(self) -> int:
        return len(self.tokenizer) + self.added

    def encode(self, text: str, length: int) -> list[int]:
        """At most `length` token ids of a text."""
        return [self.start, *self.tokenizer.encode(text)[: length - 2], self.stop]

    def encode_pair(self, first: str, second: str, length: int) -> tuple[list[int], int]:
        """At most `length` token ids of two texts, and where the second begins."""
        head = self.encode(first, length // 2)
        tail = self.tokenizer.encode(second)[: length - len(head) - 1]
        return [*head, *tail, self.stop], len(head)

    def noise(self, length: int, rng: Random) -> list[int]:
        """A text of `length` tokens that says nothing."""
        return [self.start, *rng.choices(range(256), k=length - 2), self.stop]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of token ids, special tokens left out."""
        return self.tokenizer.decode(i for i in ids if i < len(self.tokenizer))

    def stack(self, rows: list[list[int]]) -> dict[str, Tensor]:
        """Rows of token ids, padded to the longest: {"tokens": (B, T), "seen": (B, T)}."""
        lengths = torch.tensor([len(row) for row in rows])
        width = int(lengths.max())
        padded = [row + [self.pad] * (width - len(row)) for row in rows]
        return {"tokens": torch.tensor(padded), "seen": torch.arange(width) < lengths[:, None]}
