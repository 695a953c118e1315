"""Scores say how often the right class was among the likeliest, and how likely it was."""

import math

import pytest
import torch

from PACKAGE.confusion import save_confusion
from PACKAGE.eval import Score, majority_score


def test_accuracy_and_loss_are_those_of_the_right_class():
    chances = torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
    score = Score(chances.log(), labels=torch.tensor([2, 2]))
    assert score.accuracy(1) == 0.5 and score.accuracy(2) == 1.0
    assert score.loss == pytest.approx(-(math.log(0.3) + math.log(0.7)) / 2)


def test_the_majority_class_is_the_commonest_of_training(config, corpus):
    counts = torch.bincount(corpus.train_labels(), minlength=config.num_classes)
    score = majority_score(corpus, torch.arange(config.num_classes))
    assert score.logits.argmax(dim=1).unique().tolist() == [int(counts.argmax())]
    assert score.accuracy(1) == pytest.approx(1 / config.num_classes)
    assert score.logits.isfinite().all()


def test_confusion_has_a_row_for_every_true_class(config, tmp_path):
    save_confusion(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), ["low", "high"])
    lines = (tmp_path / "results" / "confusion.csv").read_text(encoding="utf-8").splitlines()
    assert lines == ["true class,low,high", "low,1,1", "high,0,1"]
