"""Training learns more than letter counts."""

from dataclasses import replace

from PACKAGE import build_model
from PACKAGE.data import Corpus, prepare
from PACKAGE.eval import evaluate, score, unigram_score
from PACKAGE.parallel import join_workers
from PACKAGE.train import train


def test_the_loss_falls_well_below_a_unigram(config):
    config = replace(config, d_model=max(config.d_model, 128))  # the least that learns this fast
    train(config)
    table = evaluate(config.run_dir, "cpu")
    assert table.figures["loss"] < table.figures["unigram_loss"] - 0.5
    assert table.figures["steps"] == config.steps


def test_the_unigram_is_scored_on_the_same_tokens(config):
    prepare(config)
    corpus = Corpus(config)
    model_score = score(build_model(config), corpus, join_workers(config), 8)
    assert unigram_score(corpus, 8).tokens == model_score.tokens
