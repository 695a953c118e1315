"""A learned byte-pair vocabulary keeps every text and shortens familiar ones."""

import pytest

from PACKAGE.bpe import BPETokenizer, train_bpe


@pytest.fixture
def tokenizer(tmp_path):
    train_bpe(["the river and the tower"] * 9, 300, tmp_path / "tokenizer.json")
    return BPETokenizer(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("text", ["", "plain", "naïve — 模型 🙂", "tabs\tand\r\nlines", "<|end|>"])
def test_pairs_survive_a_round_trip(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode([*ids, tokenizer.end]) == text
    assert sum(tokenizer.byte_lengths()[i] for i in ids) == len(text.encode())
    assert tokenizer.end not in ids


def test_familiar_text_is_shorter(tokenizer):
    assert len(tokenizer.encode("the river")) < len("the river")
    assert len(tokenizer) <= 300
