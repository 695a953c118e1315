"""The built-in graphs: coloured rings, in which only the order of the colours says anything.

Every graph has as many nodes of each colour as of every other, and every node four edges, so
neither features nor degrees tell the classes apart: in a graph of class c an edge leads from a
colour to the one that is c + 1 further on a circle of colours. Where a number is to be predicted,
it is the share of edges that were moved to join equal colours, more or less.
"""

from random import Random

import torch
from torch import Tensor

from .config import Config

MOST_CLASSES = 10
ROUNDS = 2  # edges from a node to the next colour, and as many from the one before
NOISE = 0.9  # of the features, in every direction, beside codes of colours of length 2
MOVED = 0.6  # the largest share of moved edges


def class_names(config: Config) -> list[str]:
    """The names of the classes: how far an edge leads."""
    classes = 4
    if config.gives_label:
        classes = min(config.num_classes, MOST_CLASSES)
    return [f"step {i + 1}" for i in range(classes)]


def codes(config: Config, colours: int) -> Tensor:
    """What a colour looks like, (colours, A)."""
    generator = torch.Generator().manual_seed(config.seed)
    codes = torch.randn(colours, config.node_features, generator=generator)
    return codes / codes.norm(dim=1, keepdim=True) * 2


def ring_graph(number: int, config: Config) -> tuple[Tensor, list[tuple[int, int]], int, float]:
    """Features, (nodes, A), edges, class and share of moved edges of a built-in graph."""
    rng = Random(f"{config.seed}/graph/{number}")
    classes = len(class_names(config))
    colours = 2 * classes + 1
    each = max(2, round(config.num_nodes * rng.uniform(0.75, 1.25) / colours))
    step = 1 + rng.randrange(classes)
    share = rng.uniform(0, MOVED)
    if not config.gives_value:
        share = 0.0
    painted = [[colour * each + i for i in range(each)] for colour in range(colours)]
    edges = []
    for colour, sources in enumerate(painted):
        ahead = rng.sample(painted[(colour + step) % colours], each)
        for turn in range(ROUNDS):
            for source, target in zip(sources, ahead[turn:] + ahead[:turn], strict=True):
                if rng.random() < share:
                    target = rng.choice([node for node in sources if node != source])
                edges.append((source, target))
    place = rng.sample(range(colours * each), colours * each)
    generator = torch.Generator().manual_seed(rng.getrandbits(63))
    noise = torch.randn(len(place), config.node_features, generator=generator)
    features = torch.empty_like(noise)
    features[place] = codes(config, colours).repeat_interleave(each, dim=0)
    moved = [(place[source], place[target]) for source, target in edges]
    return features + NOISE * noise, moved, step - 1, share
