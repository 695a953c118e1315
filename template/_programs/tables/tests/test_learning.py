"""A short training beats a linear model and what needs none."""

from dataclasses import replace

import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.data import Corpus
from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_rows_are_told_apart_by_several_columns_at_once(config):
    config = replace(config, steps=400, global_batch=128, micro_batch=128, warmup_steps=20)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    if config.gives_label:
        assert figures["accuracy"] > figures["linear_accuracy"] + 0.15
        assert figures["accuracy"] > figures["trivial_accuracy"] + 0.15
    if config.gives_value:
        assert figures["mean_absolute_error"] < 0.8 * figures["linear_mean_absolute_error"]
        assert figures["mean_absolute_error"] < 0.8 * figures["trivial_mean_absolute_error"]
        assert figures["R2"] > 0.3
    if config.gives_embedding:
        assert figures["recall_1"] > figures["linear_recall_1"] + 0.03
        assert figures["recall_1"] > figures["trivial_recall_1"] + 0.1
    if config.gives_cells:
        assert figures["ROC_area"] > figures["trivial_ROC_area"] + 0.03


def test_every_output_has_its_shape(config):
    outputs = build_model(config).eval()(synthetic_batch(config, batch_size=5, seed=0))
    shapes = {}
    if config.gives_label:
        shapes["label"] = (5, config.num_classes)
    if config.gives_value:
        shapes["value"] = (5, config.num_targets)
    if config.gives_embedding:
        shapes["embedding"] = (5, config.embedding_dim)
    if config.gives_cells:
        shapes["numbers"] = (5, config.num_numeric)
        if config.categorical:
            shapes["words"] = (5, config.num_categorical, config.categories)
    assert {name: tuple(x.shape) for name, x in outputs.items()} == shapes


def test_one_row_of_a_batch_changes_no_other(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, batch_size=4, seed=0)
    with torch.inference_mode():
        together = model(batch)
        alone = model({name: tensor[:1] for name, tensor in batch.items()})
    for name, output in alone.items():
        torch.testing.assert_close(together[name][:1], output, atol=1e-4, rtol=1e-4)


def test_what_a_missing_cell_held_does_not_matter(config):
    batch = Corpus(config).train_batch(0, range(4))
    assert batch["numbers"].masked_select(batch["absent"]).eq(0).all()
    model = build_model(config).eval()
    changed = batch | {"absent": batch["absent"].clone()}
    changed["absent"][:, 0] ^= True
    with torch.inference_mode():
        first, second = model(batch), model(changed)
    assert any(not torch.allclose(first[name], second[name], atol=1e-6) for name in first)


def test_a_batch_depends_on_seed_and_step_alone(config):
    corpus = Corpus(config)
    batch, again = corpus.train_batch(5, range(8)), Corpus(config).train_batch(5, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    halves = [corpus.train_batch(5, rows) for rows in (range(4), range(4, 8))]
    for name, tensor in batch.items():
        assert torch.equal(tensor, torch.cat([half[name] for half in halves]))
    other = corpus.train_batch(6, range(8))
    assert not torch.equal(batch["numbers"], other["numbers"])
