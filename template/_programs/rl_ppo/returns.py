"""How much better things went than expected."""

import torch
from torch import Tensor


def advantages(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    ended: Tensor,
    discount: float,
    gae_lambda: float,
) -> Tensor:
    """Generalised advantage estimates (Schulman et al. 2016, eq. 16), all tensors (T, N).

    `next_values` are those of what followed a step, in the same episode. After an end nothing is
    to come; after a time limit the value of what would have come still counts, and in both cases
    later steps belong to another episode. Advantages plus values are λ-returns.
    """
    to_come = torch.where(terminated, 0.0, next_values)
    surprises = rewards + discount * to_come - values
    result = torch.empty_like(surprises)
    later = torch.zeros_like(surprises[0])  # (N,)
    for t in reversed(range(len(surprises))):
        later = surprises[t] + discount * gae_lambda * torch.where(ended[t], 0.0, later)
        result[t] = later
    return result
