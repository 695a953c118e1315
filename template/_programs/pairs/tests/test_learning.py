"""A short training beats the predictors that learned nothing."""

import sys
from dataclasses import replace

import pytest

from PACKAGE import infer
from PACKAGE.eval import evaluate
from PACKAGE.measures import corpus_bleu, exact_share, token_accuracy
from PACKAGE.train import train


def test_training_beats_copies_and_frequent_targets(config, tmp_path, monkeypatch):
    train(replace(config, steps=150, global_batch=32, micro_batch=32))
    table = evaluate(config.run_dir, "cpu")
    figures = table.figures
    assert figures["word_accuracy"] > figures["trivial_word_accuracy"] + 0.1
    assert table.provenance == "measured"
    monkeypatch.setattr(sys, "argv", ["infer", "--device", "cpu"])
    infer.main()
    sample = (tmp_path / "results" / "sample.txt").read_text(encoding="utf-8")
    assert "after 150 steps" in sample and "reference" in sample and "output" in sample


def test_bleu_follows_its_definition():
    reference = "the cat sat on the mat"
    assert corpus_bleu([reference], [reference]) == pytest.approx(1.0)
    assert corpus_bleu(["a dog"], [reference]) == 0.0
    # 5 of 6 words, 4 of 5 pairs, 3 of 4 triples and 2 of 3 quadruples are right.
    product = 5 / 6 * 4 / 5 * 3 / 4 * 2 / 3
    assert corpus_bleu(["the cat sat on the rug"], [reference]) == pytest.approx(product**0.25)
    short = corpus_bleu(["the cat sat on the"], [reference])
    assert short == pytest.approx(2.718281828 ** (1 - 6 / 5))


def test_accuracies_count_places_and_texts():
    assert token_accuracy(["a b c"], ["a x c d"]) == 0.5
    assert exact_share(["a", "b"], ["a", "c"]) == 0.5
