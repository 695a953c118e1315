"""Texts survive the codec, and batches depend on the seed and the step alone."""

from dataclasses import replace

import pytest
import torch

from PACKAGE.codec import Codec
from PACKAGE.data import Corpus, prepare
from PACKAGE.rows import read_rows
from PACKAGE.tokenizer import ByteTokenizer


@pytest.fixture
def codec():
    return Codec(ByteTokenizer())


def texts_in(batch):
    """The token ids of every row, without padding."""
    rows = batch["tokens"], batch["seen"]
    return [tokens[seen].tolist() for tokens, seen in zip(*rows, strict=True)]


@pytest.mark.parametrize("text", ["", "plain", "naïve café — 模型 🙂", "tabs\tand\r\nnewlines"])
def test_texts_survive_a_round_trip(codec, text):
    ids = codec.encode(text, 100)
    assert ids[0] == codec.start and ids[-1] == codec.stop
    assert codec.decode(ids) == text
    assert len(codec.encode(text * 99, 20)) in (2, 20)


def test_pairs_share_a_row(codec):
    ids, second = codec.encode_pair("one " * 50, "two", 32)
    assert len(ids) <= 32 and ids[second - 1] == codec.stop
    assert codec.decode(ids[:second]).startswith("one ")
    assert codec.decode(ids[second:]) == "two"


def test_rows_are_padded(codec):
    batch = codec.stack([[1, 2, 3], [4]])
    assert batch["tokens"].tolist() == [[1, 2, 3], [4, codec.pad, codec.pad]]
    assert batch["seen"].tolist() == [[True, True, True], [True, False, False]]


def test_a_batch_depends_on_seed_and_step_alone(config):
    prepare(config)
    corpus = Corpus(config)
    whole = texts_in(corpus.train_batch(5, range(8)))
    assert whole == texts_in(Corpus(config).train_batch(5, range(8)))
    assert whole != texts_in(corpus.train_batch(6, range(8)))
    halves = [texts_in(corpus.train_batch(5, rows)) for rows in (range(4), range(4, 8))]
    assert whole == [*halves[0], *halves[1]]
    assert corpus.train_batch(5, range(8))["tokens"].size(1) <= config.text_length


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_decides_the_corpus(config, seed):
    prepare(config)
    other = replace(config, seed=seed, run_dir=f"runs/{seed}")
    prepare(other)
    assert Corpus(config).train[:9] != Corpus(other).train[:9]


def test_a_corpus_is_prepared_once(config, tmp_path):
    prepare(config)
    record = tmp_path / config.run_dir / "corpus" / "corpus.json"
    before = record.stat().st_mtime_ns
    prepare(config)
    assert record.stat().st_mtime_ns == before
    prepare(replace(config, val_fraction=0.5))
    assert record.stat().st_mtime_ns != before


def test_tables_are_read(tmp_path):
    (tmp_path / "a.csv").write_text('x,y\n"one, two",2\n', encoding="utf-8")
    (tmp_path / "b.tsv").write_text("x\ty\nthree\t4\n", encoding="utf-8")
    (tmp_path / "c.jsonl").write_text('{"x": "five", "y": 6}\n\n', encoding="utf-8")
    rows = [(row["x"], int(row["y"])) for row in read_rows(str(tmp_path))]
    assert rows == [("one, two", 2), ("three", 4), ("five", 6)]


def test_unusable_data_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path)))
    (tmp_path / "wrong.csv").write_text("this,that\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="--data has the columns this, that"):
        prepare(replace(config, data=str(tmp_path / "wrong.csv")))


def test_a_batch_is_made_of_tensors(config):
    prepare(config)
    batch = Corpus(config).train_batch(0, range(2))
    assert all(isinstance(value, torch.Tensor) for value in batch.values())
