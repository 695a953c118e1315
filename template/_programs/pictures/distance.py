"""How far two sets of pictures are from each other."""

import torch
import torch.nn.functional as F
from torch import Tensor

DIRECTIONS = 256


def sliced_distance(these: Tensor, those: Tensor, seed: int = 0) -> float:
    """The sliced Wasserstein distance of two sets of pictures, (N, C, Y, X) each.

    In one dimension the distance of two sets is that of their sorted values; here its mean square
    over random directions in the space of pictures, in units of pixels (Rabin et al. 2012).
    """
    count = min(len(these), len(those))
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(these[0].numel(), DIRECTIONS, generator=generator)
    directions = directions / directions.norm(dim=0)
    one, other = (
        (part[:count].float().cpu().flatten(1) @ directions).sort(dim=0).values
        for part in (these, those)
    )  # (N, DIRECTIONS)
    return (one - other).square().mean().sqrt().item()


def share_closer(made: Tensor, asked: Tensor) -> float:
    """Share of pictures that are more like the one that was asked for than like others.

    Pictures are compared by their mean colour in every quarter, each with every other one.
    """
    made, asked = (F.adaptive_avg_pool2d(x.float().cpu(), 2).flatten(1) for x in (made, asked))
    apart = torch.cdist(made, asked)  # (N, N)
    others = ~torch.eye(len(apart), dtype=torch.bool)
    return (apart.diagonal()[:, None] < apart)[others].float().mean().item()
