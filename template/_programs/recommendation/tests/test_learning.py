"""A short training ranks what users had next higher than popularity does."""

from dataclasses import replace

import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.data import Corpus
from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_recommendations_beat_popularity(config):
    config = replace(config, steps=400, global_batch=256, micro_batch=256, warmup_steps=20)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["recall_10"] > 1.3 * figures["popularity_recall_10"]
    assert figures["nDCG_10"] > 1.3 * figures["popularity_nDCG_10"]
    assert figures["loss"] < figures["popularity_loss"]


def test_vectors_have_length_one(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, batch_size=5, seed=0)
    for vectors in (model.users(batch), model.items(batch)):
        assert vectors.shape == (5, config.embedding_dim)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
    assert model(batch).shape == (5, 5)


def test_what_is_not_held_does_not_matter(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, batch_size=4, seed=0)
    other = (batch["history"] + 1) % config.num_items
    changed = batch | {"history": torch.where(batch["held"], batch["history"], other)}
    with torch.inference_mode():
        assert torch.equal(model.users(batch), model.users(changed))
        whole = model.users(batch | {"history": other})
        assert not torch.equal(model.users(batch), whole)


def test_a_batch_depends_on_seed_and_step_alone(config):
    corpus = Corpus(config)
    batch, again = corpus.train_batch(5, range(8)), Corpus(config).train_batch(5, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    halves = [corpus.train_batch(5, rows) for rows in (range(4), range(4, 8))]
    for name, tensor in batch.items():
        assert torch.equal(tensor, torch.cat([half[name] for half in halves]))
