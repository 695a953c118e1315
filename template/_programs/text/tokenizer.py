"""From text to token ids and back."""

from collections.abc import Iterable
from typing import Protocol

from .config import Config


class Tokenizer(Protocol):
    """What the rest of the code asks of a tokenizer."""

    end: int  # the special token that ends a document

    def __len__(self) -> int:
        """Number of token ids in use."""

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; never a special token."""

    def decode(self, ids: Iterable[int]) -> str:
        """Text of token ids, special tokens left out and broken UTF-8 replaced."""

    def byte_lengths(self) -> list[int]:
        """Bytes of text behind each token id; none behind a special token."""


class ByteTokenizer:
    """UTF-8 bytes, and one special token."""

    end = 256
    rows = 320  # of an embedding for it: the tokens in use, padded to a multiple of 64

    def __len__(self) -> int:
        return 257

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Iterable[int]) -> str:
        return bytes(i for i in ids if i < 256).decode(errors="replace")

    def byte_lengths(self) -> list[int]:
        return [1] * 256 + [0]


def load_tokenizer(config: Config) -> Tokenizer:
    """The tokenizer of a run: bytes, or what `prepare` learned.

    Raise `ValueError` if it has more tokens than the model.
    """
    tokenizer: Tokenizer = ByteTokenizer()
    if config.bpe and config.vocab_size > ByteTokenizer.rows:
        from .bpe import BPETokenizer, vocabulary

        tokenizer = BPETokenizer(vocabulary(config))
    if len(tokenizer) > config.vocab_size:
        raise ValueError(f"--vocab-size is below the tokenizer's {len(tokenizer)} tokens")
    return tokenizer
