"""A graph as two tables: one of its nodes, one of its edges.

`nodes.csv` has a column `id`, columns of numbers, which are the features, and, where they are
known, a `label` and a `split` (train, val or test) of each node. `edges.csv` has the columns
`source` and `target`, which hold ids, and may have a `split` too; edges have no direction.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import torch

from .config import Config
from .graph import Edge, Graph

OWN = ("id", "label", "split")


@dataclass(frozen=True)
class Tables:
    """A graph with what is written about its nodes and links; empty words where nothing is."""

    graph: Graph
    ids: list[str]
    labels: list[str]
    splits: list[str]
    links: dict[Edge, str]


def read_tables(config: Config) -> Tables:
    """The graph in the folder `config.data`."""
    folder = Path(config.data)
    nodes, edges = read_rows(folder / "nodes.csv", "id"), read_rows(folder / "edges.csv", "source")
    names = [name for name in nodes[0] if name not in OWN]
    if len(names) != config.node_features:
        raise ValueError(
            f'--data "{folder}": nodes.csv has {len(names)} columns of features; '
            f"--node-features is {config.node_features}"
        )
    place = {row["id"]: i for i, row in enumerate(nodes)}
    try:
        values = [[float(row[name]) for name in names] for row in nodes]
        links = {(place[r["source"]], place[r["target"]]): r.get("split") or "" for r in edges}
    except KeyError as unknown:
        raise ValueError(f'--data "{folder}": edges.csv names no such node: {unknown}') from None
    except (TypeError, ValueError):
        raise ValueError(f'--data "{folder}": a feature in nodes.csv is not a number') from None
    return Tables(
        Graph(torch.tensor(values), list(links)),
        list(place),
        [row.get("label") or "" for row in nodes],
        [row.get("split") or "" for row in nodes],
        links,
    )


def read_rows(path: Path, column: str) -> list[dict[str, str]]:
    """The rows of a CSV file that has `column`."""
    if not path.is_file():
        raise ValueError(f'--data "{path.parent}": there is no {path.name}')
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or column not in rows[0]:
        raise ValueError(f'--data "{path.parent}": {path.name} has no column {column}')
    return rows
