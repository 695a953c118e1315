"""Graphs come from a file or are built in, and neither colours nor degrees give them away."""

import json
from dataclasses import replace

import pytest
import torch

from PACKAGE import build_model
from PACKAGE.data import Corpus, outputs_of, prepare
from PACKAGE.synthetic import ring_graph


def lines(config):
    """Ten rings, every second one closed."""
    rows = []
    for i in range(10):
        nodes = [[float(i + j)] * config.node_features for j in range(4 + i)]
        edges = [[j, j + 1] for j in range(len(nodes) - 1)] + [[0, len(nodes) - 1]] * (i % 2)
        known = {"label": "ring" if i % 2 else "path", "value": i / 10}
        rows.append({"nodes": nodes, "edges": edges, **known})
    return rows


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_graphs_are_read_from_lines(config, tmp_path):
    data = write(tmp_path / "graphs.jsonl", lines(config))
    config = replace(config, data=data, val_fraction=0.2)
    prepare(config)
    corpus = Corpus(config)
    assert (len(corpus.train), len(corpus.val)) == (8, 2)
    assert corpus.classes == ["path", "ring"]
    batch = corpus.train_batch(0, range(4))
    assert batch["sizes"].sum() == len(batch["nodes"])
    assert torch.isfinite(build_model(config).loss(batch))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": [[1.0] * 999]}, "--node-features"),
        ({"edges": [[0, 99]]}, "not there"),
        ({"label": None, "value": None, "group": None}, "has no"),
    ],
    ids=str,
)
def test_graphs_that_are_none_are_refused(change, words, config, tmp_path):
    rows = lines(config)
    rows[3] = {k: v for k, v in (rows[3] | change).items() if v is not None}
    data = write(tmp_path / "graphs.jsonl", rows)
    assert outputs_of(config)
    with pytest.raises(ValueError, match=words):
        prepare(replace(config, data=data))


def test_a_file_that_is_not_there_is_refused(config):
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data="nowhere.jsonl"))


def test_built_in_graphs_look_alike_but_for_their_edges(config):
    for number in range(20):
        features, edges, _, share = ring_graph(number, config)
        degrees = torch.tensor(edges).flatten().bincount(minlength=len(features))
        if share == 0.0:
            assert set(degrees.tolist()) == {4}
        assert features.shape[1] == config.node_features
    again = ring_graph(3, config)[0]
    assert torch.equal(again, ring_graph(3, config)[0])
