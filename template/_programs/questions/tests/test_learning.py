"""Training teaches the model to look."""

from dataclasses import replace

import torch

from PACKAGE import build_model
from PACKAGE.data import Corpus, prepare
from PACKAGE.eval import answer, evaluate, most_frequent
from PACKAGE.train import train


def test_answers_become_words_that_fit_the_question(config):
    config = replace(config, steps=120, global_batch=16, micro_batch=16)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["loss"] < 0.7
    assert figures["accuracy"] > 0.15


def test_the_most_frequent_answer_is_that_of_the_question():
    samples = [{"question": q, "text": t} for q, t in (("a", "x"), ("a", "x"), ("a", "y"))]
    samples += [{"question": "b", "text": "y"}]
    assert most_frequent(samples, ["a", "b", "c"])[:2] == ["x", "y"]


@torch.inference_mode()
def test_answers_come_back_in_order(config):
    prepare(config)
    corpus, model = Corpus(config), build_model(config).eval()
    samples = corpus.val[:6]
    together = answer(model, corpus, samples, 4)
    assert together == [answer(model, corpus, [sample], 4)[0] for sample in samples]
