"""A short training finds links better than chance, and than the same network without edges."""

from dataclasses import replace

import pytest
import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.data import Corpus
from PACKAGE.eval import evaluate
from PACKAGE.measures import area
from PACKAGE.train import train


def test_links_are_found_that_features_alone_do_not_show(config):
    config = replace(config, steps=200, global_batch=24, micro_batch=24, warmup_steps=10)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["AUC"] > figures["trivial_AUC"] + 0.15
    assert figures["AUC"] > figures["blind_AUC"] + 0.08
    assert figures["loss"] < figures["blind_loss"]


def test_a_pair_has_no_order(config):
    batch = synthetic_batch(config, batch_size=6, seed=0)
    model = build_model(config).eval()
    with torch.inference_mode():
        scores = model(batch)
        turned = model(batch | {"pairs": batch["pairs"].flip(0)})
    assert scores.shape == (6,)
    torch.testing.assert_close(scores, turned)


def test_held_out_links_are_never_seen(config):
    corpus = Corpus(config)
    assert corpus.val and not any(corpus.graph.linked(*pair) for pair in corpus.val)
    assert not set(corpus.val) & set(corpus.train)
    batch = corpus.train_batch(0, range(4))
    edges = set(map(tuple, batch["edges"].T.tolist()))
    assert not edges & set(map(tuple, batch["pairs"].T.tolist()))
    assert batch["labels"].tolist() == [1.0, 0.0] * 4


def test_the_area_is_the_share_of_pairs_in_order():
    scores, labels = torch.tensor([3.0, 1.0, 2.0, 1.0]), torch.tensor([1.0, 1.0, 0.0, 0.0])
    assert area(scores, labels) == pytest.approx((2 + 0.5) / 4)
    assert area(-scores, labels) == pytest.approx(1 - (2 + 0.5) / 4)
