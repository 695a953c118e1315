"""The links of one graph as tensors: some to learn from, some to be found.

Without `--data` the graph is built in; `--data` takes a folder with `nodes.csv` and `edges.csv`.
Held out are the links whose split is `val` or `test`; where no split is written, a share of them.
No network ever sees a held-out link, nor the one that it is asked about. For each link a pair
without one is drawn. All of it follows from (seed, step), so training resumes exactly and does not
depend on how many processes share a batch.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from .config import Config
from .graph import Edge, Graph, hops, random_pieces
from .synthetic import community_graph
from .tables import read_tables

UNITS = "links"
WHOLE = 5_000_000  # edges up to which a graph is judged in one piece
COMMUNITIES = 8  # of the built-in graph
INSIDE = 0.9  # share of its edges that stay within one


class Corpus:
    """`graph` has the links of training only, `full` all of them; `val` are those held out."""

    def __init__(self, config: Config):
        self.config = config
        self.full, self.ids, splits = find_graph(config)
        links = [(first, second) for first, second in self.full.pairs.tolist()]
        if any(splits.values()):
            held_out = {pair for pair, split in splits.items() if split in ("val", "test")}
            held_out |= {pair[::-1] for pair in held_out}
            self.val = [pair for pair in links if pair in held_out]
        else:
            count = max(1, round(len(links) * config.val_fraction))
            self.val = sorted(Random(f"{config.seed}/split").sample(links, count))
        hidden = set(self.val)
        self.train = [pair for pair in links if pair not in hidden]
        self.graph = Graph(self.full.features, self.train)

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Links `rows` of the step's global batch, each with a pair that has none."""
        rng = Random(f"{self.config.seed}/batch/{step}")
        chosen = rng.choices(self.train, k=self.config.global_batch)
        pairs = []
        for row in rows:
            draws = Random(f"{self.config.seed}/pair/{step}/{row}")
            pairs += [chosen[row], self.unlinked(draws)]
        return self.sampled(pairs, f"batch/{step}")

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out links in order, at most `limit` of them, each with a pair that has none."""
        rng = Random(f"{self.config.seed}/val")
        pairs = [pair for link in self.val[:limit] for pair in (link, self.unlinked(rng))]
        if self.graph.edges.size(1) <= WHOLE:
            yield self.whole(pairs)
        else:
            for first in range(0, len(pairs), 2 * batch_size):
                yield self.sampled(pairs[first : first + 2 * batch_size], "val")

    def unlinked(self, rng: Random) -> Edge:
        """A pair of different nodes without a link, drawn at random."""
        for _ in range(1000):
            first, second = rng.randrange(len(self.full)), rng.randrange(len(self.full))
            if first != second and not self.full.linked(first, second):
                return first, second
        raise ValueError("almost all pairs of nodes are linked; there is nothing to predict")

    def whole(self, pairs: list[Edge]) -> dict[str, Tensor]:
        """All of the graph, to judge `pairs`."""
        return self.graph.whole() | {"pairs": torch.tensor(pairs).T, "labels": self.labels(pairs)}

    def labels(self, pairs: list[Edge]) -> Tensor:
        """1 where a pair is linked, else 0, (P,)."""
        return torch.tensor([float(self.full.linked(*pair)) for pair in pairs])

    def sampled(self, pairs: list[Edge], name: str) -> dict[str, Tensor]:
        """What is read around each of the `pairs`, the link that is asked about hidden."""
        fan_outs, pieces = hops(self.config), []
        for pair in pairs:
            rng = Random(f"{self.config.seed}/{name}/{pair}")
            hidden = [pair] if self.graph.linked(*pair) else []
            pieces.append(self.graph.around(pair, fan_outs, rng, hidden))
        batch, starts = self.graph.batch(pieces)
        first = torch.tensor(starts)
        return batch | {"pairs": torch.stack((first, first + 1)), "labels": self.labels(pairs)}


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random neighbourhoods of pairs, every second one linked: for shapes and speed."""
    batch = random_pieces(config, batch_size, 2, seed)
    first = batch.pop("starts")
    labels = (torch.arange(batch_size) % 2 == 0).float()
    return batch | {"pairs": torch.stack((first, first + 1)), "labels": labels}


def prepare(config: Config) -> None:
    """Check the data."""
    if not Corpus(config).train:
        raise ValueError(f'--data "{config.data}": no links are left to train on')
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)


def find_graph(config: Config) -> tuple[Graph, list[str], dict[Edge, str]]:
    """The graph with all of its links, ids of nodes, and splits of links."""
    if not config.data:
        graph, _ = community_graph(config, COMMUNITIES, INSIDE)
        return graph, [f"paper {i}" for i in range(len(graph))], {}
    tables = read_tables(config)
    return tables.graph, tables.ids, tables.links
