"""A short training beats what needs no model, and the same network without edges."""

from dataclasses import replace

import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_graphs_are_told_apart_by_their_edges(config):
    config = replace(config, steps=250, global_batch=32, micro_batch=32, warmup_steps=10)
    train(config)
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["loss"] < figures["blind_loss"] - 0.05
    if config.gives_label:
        assert figures["accuracy"] > figures["trivial_accuracy"] + 0.15
        assert figures["accuracy"] > figures["blind_accuracy"] + 0.15
    if config.gives_value:
        assert figures["mean_absolute_error"] < 0.9 * figures["trivial_mean_absolute_error"]
        assert figures["mean_absolute_error"] < 0.9 * figures["blind_mean_absolute_error"]
    if config.gives_embedding:
        assert figures["recall_1"] > figures["trivial_recall_1"] + 0.1
        assert figures["recall_1"] > figures["blind_recall_1"] + 0.1


def test_every_output_has_its_shape(config):
    batch = synthetic_batch(config, batch_size=5, seed=0)
    outputs = build_model(config).eval()(batch)
    shapes = {}
    if config.gives_label:
        shapes["label"] = (5, config.num_classes)
    if config.gives_value:
        shapes["value"] = (5,)
    if config.gives_embedding:
        shapes["embedding"] = (5, config.embedding_dim)
    assert {name: tuple(x.shape) for name, x in outputs.items()} == shapes


def test_one_graph_of_a_batch_changes_no_other(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, batch_size=2, seed=0)
    first = int(batch["sizes"][0])
    inside = (batch["edges"] < first).all(dim=0)
    alone = {
        "nodes": batch["nodes"][:first],
        "edges": batch["edges"][:, inside],
        "degree": batch["degree"][:first],
        "sizes": batch["sizes"][:1],
    }
    with torch.inference_mode():
        together, apart = model(batch), model(alone)
    for name, output in apart.items():
        torch.testing.assert_close(together[name][:1], output, atol=1e-4, rtol=1e-4)
