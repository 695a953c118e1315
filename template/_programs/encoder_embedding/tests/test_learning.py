"""Training brings partners together, and the programs show it."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from PACKAGE import infer
from PACKAGE.data import Corpus, prepare
from PACKAGE.eval import Score, chance, evaluate
from PACKAGE.train import train


def embed(monkeypatch, *flags):
    """Run `infer`; the vectors and the neighbours that it wrote."""
    monkeypatch.setattr(sys, "argv", ["infer", "--device", "cpu", *flags])
    infer.main()
    found = json.loads(Path("results/neighbours.json").read_text(encoding="utf-8"))
    return np.load("results/embeddings.npy"), found


def test_a_trained_model_beats_chance(config, monkeypatch, tmp_path):
    train(replace(config, steps=60))
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["recall_at_1"] > 4 * figures["chance_recall_at_1"]
    assert figures["mrr"] > 2 * figures["chance_mrr"]
    (tmp_path / "texts.txt").write_text("one text\nanother text\n", encoding="utf-8")
    vectors, found = embed(monkeypatch, "--file", "texts.txt", "--query", "another text")
    assert len(vectors) == 2 and found[0]["nearest"][0]["text"] == "another text"
    assert found[0]["nearest"][0]["cosine"] == pytest.approx(1, abs=1e-3)


def test_texts_are_embedded_before_any_training(config, monkeypatch):
    vectors, found = embed(monkeypatch)
    assert len(vectors) == len(found) == 32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert all(near["text"] != entry["query"] for entry in found for near in entry["nearest"])


def test_scores_are_those_of_the_definitions():
    score = Score(torch.tensor([[0.9, 0.1], [0.8, 0.2]]), 1.0)
    assert score.ranks.tolist() == [[1, 2], [1, 1]]
    assert score.recall == pytest.approx(0.75)
    assert score.reciprocal_rank == pytest.approx(0.875)
    assert chance(2) == (0.5, 0.75)


def test_tables_become_pairs(config, tmp_path):
    lines = [json.dumps({"query": f"question {i}", "passage": f"answer {i}"}) for i in range(40)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    config = replace(config, data=str(tmp_path / "pairs.jsonl"), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert len(corpus.train) + len(corpus.val) == 40
    batch = corpus.train_batch(0, range(8))
    texts = [corpus.codec.decode(row.tolist()) for row in batch["tokens"]]
    assert texts[0].replace("question", "answer") == texts[1]
