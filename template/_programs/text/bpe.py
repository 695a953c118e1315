"""Byte-level byte-pair encoding (Sennrich et al. 2016), learned by the `tokenizers` library."""

from collections.abc import Iterable
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from .config import Config
from .tokenizer import ByteTokenizer

END = "<|end|>"


class BPETokenizer:
    """A learned vocabulary, read from the file that `train_bpe` wrote."""

    def __init__(self, path: Path):
        self.model = tokenizers.Tokenizer.from_file(str(path))
        self.model.encode_special_tokens = True  # a text that spells `END` stays text
        self.end = self.model.token_to_id(END)

    def __len__(self) -> int:
        return self.model.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        return self.model.encode(text).ids

    def decode(self, ids: Iterable[int]) -> str:
        return self.model.decode([i for i in ids if i != self.end and i < len(self)])

    def byte_lengths(self) -> list[int]:
        pieces = [self.model.id_to_token(i) for i in range(len(self))]
        return [0 if piece == END else len(piece) for piece in pieces]  # one character a byte


def vocabulary(config: Config) -> Path:
    """Where the learned vocabulary of a run lies."""
    return Path(config.run_dir) / "tokenizer.json"


def learn_tokens(texts: Iterable[str], config: Config) -> None:
    """Learn the vocabulary of a run, unless bytes are enough for its size."""
    if config.vocab_size > ByteTokenizer.rows:
        train_bpe(texts, config.vocab_size, vocabulary(config))


def train_bpe(texts: Iterable[str], vocab_size: int, path: Path) -> None:
    """Learn at most `vocab_size` tokens from texts and save them at `path`."""
    model = tokenizers.Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    model.train_from_iterator(texts, trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(str(path))
