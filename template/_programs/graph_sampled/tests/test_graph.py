"""Neighbourhoods hold what a network reads, and tables become graphs."""

from dataclasses import replace
from random import Random

import pytest
import torch

from PACKAGE import build_model
from PACKAGE.data import Corpus, prepare
from PACKAGE.graph import Graph, hops


def star(leaves=9):
    """A node with many neighbours, which have no others."""
    return Graph(torch.randn(leaves + 1, 3), [(0, leaf + 1) for leaf in range(leaves)])


def test_links_are_kept_once_and_go_both_ways():
    graph = Graph(torch.zeros(4, 1), [(1, 0), (0, 1), (2, 2), (1, 2)])
    assert graph.pairs.tolist() == [[0, 1], [1, 2]]
    assert graph.edges.size(1) == 4
    assert graph.degree.tolist() == [1, 2, 1, 0]
    assert graph.near(1) == [0, 2] and graph.near(3) == []
    assert graph.linked(2, 1) and not graph.linked(0, 2)


def test_no_more_neighbours_are_read_than_allowed():
    piece = star().around([0], [4, 4], Random(0))
    arriving = [source for source, target in piece.edges if target == 0]
    assert piece.nodes[0] == 0 and len(arriving) == len(set(arriving)) == 4
    assert piece.degree[0] == 9


def test_hidden_links_are_not_read():
    piece = star().around([0, 1], [9, 9], Random(0), hidden=[(0, 1)])
    assert piece.nodes[:2] == [0, 1]
    assert (0, 1) not in piece.edges and (1, 0) not in piece.edges
    assert piece.degree[:2] == [8, 0]


def test_a_whole_neighbourhood_is_as_good_as_the_whole_graph(config):
    corpus = Corpus(replace(config, num_nodes=100))
    graph, model = corpus.graph, build_model(config).eval()
    seeds = [3, 30, 60]
    pieces = [graph.around([seed], [10**6] * config.n_layers, Random(0)) for seed in seeds]
    batch, starts = graph.batch(pieces)
    with torch.inference_mode():
        whole, sampled = model.encode(graph.whole())[seeds], model.encode(batch)[starts]
    torch.testing.assert_close(sampled, whole, atol=1e-4, rtol=1e-4)


def test_fan_outs_hold_for_deeper_layers(config):
    assert hops(replace(config, fan_outs=(7, 3), n_layers=4)) == [7, 3, 3, 3]
    assert hops(replace(config, fan_outs=(7, 3), n_layers=1)) == [7]


def write_tables(folder, config, splits=True):
    """A ring of twelve nodes with two labels."""
    folder.mkdir(exist_ok=True)
    names = [f"x{i}" for i in range(config.node_features)]
    nodes = [",".join(["id", *names, "label", "split"])]
    for i in range(12):
        split = ("val" if i % 4 == 0 else "train") if splits else ""
        numbers = [str(i * j / 10) for j in range(config.node_features)]
        nodes.append(",".join([f"n{i}", *numbers, "even" if i % 2 else "odd", split]))
    links = ["source,target,split"]
    for i in range(12):
        split = ("test" if i % 4 == 0 else "train") if splits else ""
        links.append(f"n{i},n{(i + 1) % 12},{split}")
    (folder / "nodes.csv").write_text("\n".join(nodes) + "\n", encoding="utf-8")
    (folder / "edges.csv").write_text("\n".join(links) + "\n", encoding="utf-8")
    return str(folder)


def test_tables_become_a_graph_and_its_splits(config, tmp_path):
    config = replace(config, data=write_tables(tmp_path / "ring", config))
    prepare(config)
    corpus = Corpus(config)
    assert (len(corpus.train), len(corpus.val)) == (9, 3)
    assert len(corpus.graph) == 12 and corpus.ids[:2] == ["n0", "n1"]
    assert torch.isfinite(build_model(config).loss(corpus.train_batch(0, range(4))))


def test_without_splits_a_share_is_held_out(config, tmp_path):
    folder = write_tables(tmp_path / "ring", config, splits=False)
    corpus = Corpus(replace(config, data=folder, val_fraction=0.25))
    assert (len(corpus.train), len(corpus.val)) == (9, 3)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("nodes.csv", "id,x\na,1\n", "--node-features"),
        ("nodes.csv", "name,x\na,1\n", "no column id"),
        ("edges.csv", "source,target\nn0,n99\n", "n99"),
        ("edges.csv", "", "no column source"),
    ],
    ids=str,
)
def test_tables_that_make_no_graph_are_refused(name, text, words, config, tmp_path):
    config = replace(config, data=write_tables(tmp_path / "ring", config), node_features=2)
    write_tables(tmp_path / "ring", config)
    (tmp_path / "ring" / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        prepare(config)


def test_a_folder_without_tables_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match="nodes.csv"):
        prepare(replace(config, data=str(tmp_path)))
