"""Graphs as tensors: one batch is one graph in several parts that no edge joins.

Without `--data` the graphs are built in. `--data` takes a JSONL file with an object for each graph:
`nodes`, a list of the features of each; `edges`, pairs of places in that list, without direction;
and `label`, `value` or `group`, whichever the model gives (without a `group`, whose members get
similar embeddings, the label is one). The graphs of a step follow from (seed, step), so training
resumes exactly and does not depend on how many processes share a batch.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from .batches import Batches
from .config import Config
from .outputs import outputs_of, random_targets
from .synthetic import class_names, ring_graph

UNITS = "graphs"
BUILT_IN = 3_000  # graphs of the built-in data


@dataclass(frozen=True)
class Sample:
    """A graph: features, (nodes, A), edges both ways, (2, E), and what is known of it."""

    features: Tensor
    edges: Tensor
    known: dict[str, Any]


class Corpus(Batches):
    """Training and held-out graphs; `mean` and `deviation` are those of the training values."""

    def __init__(self, config: Config):
        samples = find_graphs(config)
        order = Random(f"{config.seed}/split").sample(range(len(samples)), len(samples))
        held_out = max(1, round(len(samples) * config.val_fraction))
        train, val = sorted(order[held_out:]), sorted(order[:held_out])
        super().__init__(config, [samples[i] for i in train], [samples[i] for i in val])
        found = {str(s.known["label"]) for s in samples if "label" in s.known}
        self.classes = sorted(found) if config.data else class_names(config)
        self.groups = sorted({str(s.known["group"]) for s in samples if "group" in s.known})
        values = torch.tensor([float(s.known.get("value", 0)) for s in self.train])
        self.mean = values.mean().item()
        self.deviation = max(values.std(correction=0).item(), 1e-9)

    def stack(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """Graphs as a batch, with their targets."""
        return union(samples) | self.targets(samples)

    def targets(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """What the model should give; values are in deviations from their mean."""
        batch = {}
        if self.config.gives_label:
            labels = [self.classes.index(str(s.known["label"])) for s in samples]
            batch["labels"] = torch.tensor(labels)  # (G,)
        if self.config.gives_value:
            values = torch.tensor([float(s.known["value"]) for s in samples])
            batch["values"] = (values - self.mean) / self.deviation  # (G,)
        if self.config.gives_embedding:
            groups = [self.groups.index(str(s.known["group"])) for s in samples]
            batch["groups"] = torch.tensor(groups)  # (G,)
        return batch


def union(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """Graphs side by side as one, and the number of nodes of each, (G,)."""
    sizes = torch.tensor([len(s.features) for s in samples])
    starts = (sizes.cumsum(0) - sizes).tolist()
    edges = torch.cat([s.edges + start for s, start in zip(samples, starts, strict=True)], dim=1)
    nodes = torch.cat([s.features for s in samples])  # (N, A)
    degree = edges[1].bincount(minlength=len(nodes)).float()  # (N,)
    return {"nodes": nodes, "edges": edges, "degree": degree, "sizes": sizes}


def sample_of(features: Tensor, pairs: Sequence[Sequence[int]], **known: Any) -> Sample:
    """A graph from undirected edges, each kept once, none from a node to itself."""
    edges = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)
    edges = torch.unique(edges[edges[:, 0] != edges[:, 1]].sort(dim=1).values, dim=0)
    return Sample(features, torch.cat((edges, edges.flip(1))).T, known)


def find_graphs(config: Config) -> list[Sample]:
    """The graphs that `--data` names; without it the built-in ones."""
    if config.data:
        return read_graphs(Path(config.data), config)
    names = class_names(config)
    found = []
    for number in range(BUILT_IN):
        features, edges, label, share = ring_graph(number, config)
        known = {"label": names[label], "value": share, "group": names[label]}
        found.append(sample_of(features, edges, **known))
    return found


def read_graphs(path: Path, config: Config, answers: bool = True) -> list[Sample]:
    """The graphs of a JSONL file; with `answers` each must have what the model gives."""
    if not path.is_file():
        raise ValueError(f'--data "{path}": no such file')
    found = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            row = json.loads(line)
            where = f'--data "{path}", line {number}'
            features = torch.tensor(row["nodes"], dtype=torch.float)
            if features.dim() != 2 or features.size(1) != config.node_features:
                raise ValueError(
                    f"{where}: a node needs --node-features ({config.node_features}) numbers"
                )
            known = {name: row[name] for name in ("label", "value", "group") if name in row}
            if "label" in known:
                known.setdefault("group", known["label"])
            missing = [name for name in outputs_of(config) if answers and name not in known]
            if missing:
                raise ValueError(f"{where} has no {missing[0]}")
            ends = [end for pair in row["edges"] for end in pair]
            if ends and not 0 <= min(ends) <= max(ends) < len(features):
                raise ValueError(f"{where}: an edge leads to a node that is not there")
            found.append(sample_of(features, row["edges"], **known))
    return found


def prepare(config: Config) -> None:
    """Check the data and write what answers mean to the run folder."""
    corpus = Corpus(config)
    if len(corpus.train) < 2 or len(corpus.val) < 2:
        raise ValueError(f'--data "{config.data}": too few graphs to train on and to hold out')
    if config.gives_label:
        if len(corpus.classes) > config.num_classes:
            raise ValueError(
                f"--data has {len(corpus.classes)} classes; --num-classes is {config.num_classes}"
            )
    folder = Path(config.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    answers = {"classes": corpus.classes, "mean": corpus.mean, "deviation": corpus.deviation}
    text = json.dumps(answers, indent=2) + "\n"
    (folder / "answers.json").write_text(text, encoding="utf-8")


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random graphs and targets, shaped as a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    nodes = config.num_nodes
    samples = []
    for _ in range(batch_size):
        features = torch.randn(nodes, config.node_features, generator=generator)
        sources = torch.randint(nodes - 1, (config.degree * nodes,), generator=generator)
        targets = torch.arange(nodes).repeat(config.degree)
        sources = sources + (sources >= targets)  # no edge from a node to itself
        samples.append(Sample(features, torch.stack((sources, targets)), {}))
    return union(samples) | random_targets(config, batch_size, generator)
