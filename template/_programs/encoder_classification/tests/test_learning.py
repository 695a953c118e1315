"""Training beats the commonest class, and the programs show it."""

import sys
from dataclasses import replace

import pytest
import torch
from helpers import rows_of

from PACKAGE import infer
from PACKAGE.data import Corpus, prepare
from PACKAGE.eval import Score, evaluate
from PACKAGE.train import train


def label(monkeypatch, *flags):
    """Run `infer`; the rows of its artifact."""
    monkeypatch.setattr(sys, "argv", ["infer", "--device", "cpu", *flags])
    infer.main()
    return rows_of("results/predictions.csv")


def test_a_trained_model_beats_the_commonest_class(config, monkeypatch):
    config = replace(config, steps=100)
    train(config)
    table = evaluate(config.run_dir, "cpu")
    assert table.figures["accuracy"] > table.figures["majority_accuracy"] + 0.15
    assert table.figures["macro_f1"] > table.figures["majority_macro_f1"] + 0.15
    rows = label(monkeypatch, "--text", "The tower is quiet, not heavy.")
    assert rows[0]["label"] in Corpus(config).description["labels"]


def test_labels_come_before_any_training(config, monkeypatch):
    rows = label(monkeypatch)
    assert len(rows) == 8 and 0 < float(rows[0]["probability"]) < 1


def test_scores_are_those_of_the_definitions():
    right, wrong = torch.tensor([0.0, -9.0]), torch.tensor([-9.0, 0.0])
    score = Score(torch.stack([right, right, wrong, right]), torch.tensor([0, 0, 0, 1]))
    assert score.accuracy == pytest.approx(0.5)
    assert score.macro_f1 == pytest.approx((2 * 2 / 6 + 0) / 2)


def test_tables_become_examples(config, tmp_path):
    text = "text,label\n" + "good sir,yes\nbad sir,no\n" * 30
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    config = replace(config, data=str(tmp_path / "rows.csv"), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert corpus.description["labels"] == ["no", "yes"]
    assert len(corpus.train) + len(corpus.val) == 60
    with pytest.raises(ValueError, match="--num-classes"):
        (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"a,{i}\n" for i in range(9)))
        prepare(config)
