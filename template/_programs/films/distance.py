"""How far two sets of clips are from each other: sliced Wasserstein distances."""

import torch
from torch import Tensor

DIRECTIONS = 256


def sliced_distance(these: Tensor, those: Tensor, seed: int = 0) -> float:
    """The mean distance of two sets of vectors, (N, D) each, along random directions.

    In one dimension the Wasserstein distance is that between sorted values (Rabin et al. 2012).
    """
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(these.size(1), DIRECTIONS, generator=generator)
    directions = directions / directions.norm(dim=0)
    count = min(len(these), len(those))
    ordered = [(part[:count] @ directions).sort(dim=0).values for part in (these, those)]
    return (ordered[0] - ordered[1]).square().mean().sqrt().item()


def clip_distances(made: Tensor, real: Tensor) -> tuple[float, float]:
    """Distances of two sets of clips, (N, Z, P, Y, X): of their frames, and of their motion.

    Motion is the difference of each frame from the one before it.
    """
    frames = (part.flatten(0, 1).flatten(1) for part in (made, real))
    steps = (part.diff(dim=1).flatten(0, 1).flatten(1) for part in (made, real))
    return sliced_distance(*frames), sliced_distance(*steps)
