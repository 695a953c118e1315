"""Pairs survive the tokenizer, and batches depend on the seed and the step alone."""

import json
from dataclasses import replace

import pytest
import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.data import Corpus, pairs, prepare
from PACKAGE.tokenizer import ByteTokenizer


@pytest.mark.parametrize("text", ["", "plain", "naïve café — 模型 🙂", "tabs\tand\r\nnewlines"])
def test_bytes_survive_a_round_trip(text):
    tokenizer = ByteTokenizer()
    assert tokenizer.decode([*tokenizer.encode(text), tokenizer.end]) == text


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(5, range(8))
    again = Corpus(config).train_batch(5, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert not torch.equal(batch["source"], corpus.train_batch(6, range(8))["source"])


def test_batches_mark_padding(config, corpus):
    batch = corpus.train_batch(0, range(8))
    end = corpus.tokenizer.end
    assert (batch["source"][~batch["mask"]] == end).all()
    assert (batch["target"][:, 0] == end).all()
    assert ((batch["target"][:, 1:] == end).sum(dim=1) == 1).all()


def test_nothing_held_out_was_seen(corpus):
    seen = {tuple(corpus.train[row][0].tolist()) for row in range(len(corpus.train))}
    assert not seen & {tuple(corpus.val[row][0].tolist()) for row in range(len(corpus.val))}


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_decides_the_corpus(config, corpus, seed):
    other = replace(config, seed=seed, run_dir=f"runs/{seed}")
    prepare(other)
    assert not torch.equal(corpus.train.ids[:500], Corpus(other).train.ids[:500])


def test_files_become_a_corpus(config, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    lines = [f"source {i}\ttarget {i}" for i in range(50)]
    (folder / "a.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    records = [
        {"source": "eins", "target": "one"},
        {"document": "a long text", "summary": "short"},
        {"translation": {"de": "zwei", "en": "two"}},
    ]
    text = "\n".join(map(json.dumps, records)) + "\n"
    (folder / "b.jsonl").write_text(text, encoding="utf-8")
    config = replace(config, data=str(folder), val_fraction=0.2)
    found = list(pairs(config))
    assert found[0] == ("source 0", "target 0") and len(found) == 53
    assert found[-3:] == [("eins", "one"), ("a long text", "short"), ("zwei", "two")]
    prepare(config)
    corpus = Corpus(config)
    assert len(corpus.train) + len(corpus.val) == 53


def test_unusable_data_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path)))
    (tmp_path / "broken.tsv").write_text("one column\n", encoding="utf-8")
    with pytest.raises(ValueError, match="broken.tsv:1"):
        prepare(replace(config, data=str(tmp_path / "broken.tsv")))
    (tmp_path / "single.tsv").write_text("one\tpair\n", encoding="utf-8")
    single = replace(config, data=str(tmp_path / "single.tsv"))
    prepare(single)
    with pytest.raises(ValueError, match="--data leaves"):
        Corpus(single)


@torch.inference_mode()
def test_padding_changes_nothing(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, batch_size=2, seed=0)
    source, target = batch["source"][:, :12], batch["target"][:, :9]
    padded = batch["source"][:, :20]
    mask = (torch.arange(20) < 12).expand(2, 20)
    expected = model(source, target)
    torch.testing.assert_close(model(padded, target, mask), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(model(padded, target), expected, atol=1e-4)
