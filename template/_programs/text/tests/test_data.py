"""Text survives the tokenizer, and batches depend on the seed and the step alone."""

import json
from dataclasses import replace

import pytest
import torch

from PACKAGE.data import Corpus, documents, prepare
from PACKAGE.tokenizer import ByteTokenizer

TEXTS = ["", "plain", "naïve café — 模型 🙂", "tabs\tand\r\nnewlines", "<|end|>"]


@pytest.mark.parametrize("text", TEXTS)
def test_bytes_survive_a_round_trip(text):
    tokenizer = ByteTokenizer()
    ids = tokenizer.encode(text)
    assert tokenizer.decode([*ids, tokenizer.end]) == text
    assert sum(tokenizer.byte_lengths()[i] for i in ids) == len(text.encode())
    assert tokenizer.end not in ids


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(5, range(8))["tokens"]
    assert batch.shape == (8, config.train_length + 1)
    assert torch.equal(batch, Corpus(config).train_batch(5, range(8))["tokens"])
    assert not torch.equal(batch, corpus.train_batch(6, range(8))["tokens"])
    halves = [corpus.train_batch(5, rows)["tokens"] for rows in (range(4), range(4, 8))]
    assert torch.equal(batch, torch.cat(halves))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_decides_the_corpus(config, corpus, seed):
    other = replace(config, seed=seed, run_dir=f"runs/{seed}")
    prepare(other)
    assert not torch.equal(corpus.train[:500], Corpus(other).train[:500])


def test_files_become_a_corpus(config, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("All of this is plain text.\n" * 800, encoding="utf-8")
    (folder / "b.md").write_text("# Title\n", encoding="utf-8")
    (folder / "c.jsonl").write_text(json.dumps({"text": "one line"}) + "\n", encoding="utf-8")
    (folder / "ignored.bin").write_bytes(b"\xff" * 100)
    config = replace(config, data=str(folder), val_fraction=0.3)
    assert [text[:8] for text in documents(config)] == ["All of t", "# Title\n", "one line"]
    prepare(config)
    corpus = Corpus(config)
    tokens = len(corpus.train) + len(corpus.val)
    assert tokens > len("All of this is plain text.\n" * 800)
    (folder / "d.txt").write_text("More.\n" * 500, encoding="utf-8")
    prepare(config)
    assert len(Corpus(config).train) + len(Corpus(config).val) > tokens


def test_unusable_data_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path)))
    (tmp_path / "short.txt").write_text("Too short.", encoding="utf-8")
    short = replace(config, data=str(tmp_path / "short.txt"))
    prepare(short)
    with pytest.raises(ValueError, match="--data leaves"):
        Corpus(short)
