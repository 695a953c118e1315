"""One graph as tensors: neighbourhoods to train on, all of it to be judged on.

Without `--data` the graph is built in; `--data` takes a folder with `nodes.csv` and `edges.csv`.
Held out are the nodes whose split is `val` or `test`; where no split is written, a share of those
with a label. The nodes of a step and what is read around them follow from (seed, step), so training
resumes exactly and does not depend on how many processes share a batch.
"""

from collections.abc import Iterator
from random import Random

import torch
from torch import Tensor

from .classes import save_class_names
from .config import Config
from .graph import Graph, hops, random_pieces
from .synthetic import community_graph
from .tables import read_tables

UNITS = "nodes"
WHOLE = 5_000_000  # edges up to which a graph is judged in one piece
INSIDE = 0.7  # share of the built-in graph's edges that stay within a class


class Corpus:
    """The graph, with `labels`, (N,), and the numbers of its training and held-out nodes."""

    def __init__(self, config: Config):
        self.config = config
        self.graph, self.labels, self.ids, self.classes, splits = find_graph(config)
        known = [i for i, label in enumerate(self.labels.tolist()) if label >= 0]
        if any(splits):
            self.train = [i for i in known if splits[i] == "train"]
            self.val = [i for i in known if splits[i] in ("val", "test")]
        else:
            order = Random(f"{config.seed}/split").sample(known, len(known))
            held_out = max(1, round(len(order) * config.val_fraction))
            self.val, self.train = sorted(order[:held_out]), sorted(order[held_out:])

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Nodes `rows` of the step's global batch, each with its neighbourhood."""
        rng = Random(f"{self.config.seed}/batch/{step}")
        chosen = rng.choices(self.train, k=self.config.global_batch)
        return self.sampled([chosen[row] for row in rows], f"batch/{step}")

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out nodes in order, at most `limit` of them."""
        seeds = self.val[:limit]
        if self.graph.edges.size(1) <= WHOLE:
            yield self.whole(seeds)
        else:
            for first in range(0, len(seeds), batch_size):
                yield self.sampled(seeds[first : first + batch_size], "val")

    def whole(self, seeds: list[int]) -> dict[str, Tensor]:
        """All of the graph, to name `seeds`."""
        nodes = torch.tensor(seeds)
        return self.graph.whole() | {"seeds": nodes, "labels": self.labels[nodes]}

    def sampled(self, seeds: list[int], name: str) -> dict[str, Tensor]:
        """Neighbourhoods of `seeds` side by side; what they hold follows from the seed and node."""
        fan_outs = hops(self.config)
        pieces = []
        for seed in seeds:
            rng = Random(f"{self.config.seed}/{name}/{seed}")
            pieces.append(self.graph.around([seed], fan_outs, rng))
        batch, starts = self.graph.batch(pieces)
        return batch | {"seeds": torch.tensor(starts), "labels": self.labels[seeds]}


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random neighbourhoods and labels, shaped as a batch: for shapes and speed."""
    batch = random_pieces(config, batch_size, 1, seed)
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(config.num_classes, (batch_size,), generator=generator)
    return batch | {"seeds": batch.pop("starts"), "labels": labels}


def prepare(config: Config) -> None:
    """Check the data and write the names of the classes to the run folder."""
    corpus = Corpus(config)
    if not corpus.train or not corpus.val:
        raise ValueError(f'--data "{config.data}": no labelled nodes to train on and to hold out')
    save_class_names(config, corpus.classes)


def find_graph(config: Config) -> tuple[Graph, Tensor, list[str], list[str], list[str]]:
    """The graph, labels (-1 where unknown), ids of nodes, names of classes, splits."""
    if not config.data:
        graph, labels = community_graph(config, config.num_classes, INSIDE)
        classes = [f"field {i}" for i in range(config.num_classes)]
        return graph, labels, [f"paper {i}" for i in range(len(graph))], classes, []
    tables = read_tables(config)
    classes = sorted({label for label in tables.labels if label})
    if len(classes) > config.num_classes:
        raise ValueError(
            f"--data has {len(classes)} classes; --num-classes is {config.num_classes}"
        )
    number = {name: i for i, name in enumerate(classes)} | {"": -1}
    labels = torch.tensor([number[label] for label in tables.labels])
    return tables.graph, labels, tables.ids, classes, tables.splits
