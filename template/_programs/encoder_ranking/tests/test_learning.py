"""Training puts answers first, and the programs show it."""

import sys
from dataclasses import replace

import pytest
import torch
from helpers import rows_of

from PACKAGE import infer
from PACKAGE.data import Corpus, prepare
from PACKAGE.eval import Score, chance, evaluate
from PACKAGE.train import train


def rank(monkeypatch, *flags):
    """Run `infer`; the rows of its artifact."""
    monkeypatch.setattr(sys, "argv", ["infer", "--device", "cpu", *flags])
    infer.main()
    return rows_of("results/ranking.csv")


def test_a_trained_model_beats_a_random_order(config, monkeypatch, tmp_path):
    train(replace(config, steps=80))
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["ndcg"] > figures["random_ndcg"] + 0.03
    assert figures["map"] > figures["random_map"] + 0.04
    (tmp_path / "passages.txt").write_text("one passage\nanother one\n", encoding="utf-8")
    rows = rank(monkeypatch, "--query", "which one?", "--file", "passages.txt")
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert float(rows[0]["score"]) >= float(rows[1]["score"])


def test_passages_are_ranked_before_any_training(config, monkeypatch):
    assert len(rank(monkeypatch)) == config.candidates
    with pytest.raises(SystemExit):
        rank(monkeypatch, "--query", "alone")


def test_scores_are_those_of_the_definitions():
    score = Score(torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[0.0, 2.0, 1.0]]))
    log3 = torch.tensor(3.0).log2().item()
    assert score.ndcg == pytest.approx((3 / log3 + 1 / 2) / (3 + 1 / log3))
    assert score.average_precision == pytest.approx((1 / 2 + 2 / 3) / 2)
    ndcg, precision = chance(score.grades.expand(500, -1))
    assert ndcg < 0.85 and precision == pytest.approx((1 + 5 / 6 + 7 / 12) / 3, abs=0.02)


def test_tables_become_queries(config, tmp_path):
    lines = ["query,passage,grade"]
    for i in range(40):
        lines += [f"question {i},answer {i},2", f"question {i},joke {i},0"]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = replace(config, data=str(tmp_path / "rows.csv"), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert len(corpus.train) + len(corpus.val) == 40
    batch = corpus.train_batch(0, range(8))
    assert batch["grades"].shape == (8, config.candidates)
    assert batch["tokens"].size(0) == batch["types"].size(0) == 8 * config.candidates
    assert (batch["grades"].max(dim=1).values == 2).all()
    assert (batch["types"].bool() <= batch["seen"]).all()
