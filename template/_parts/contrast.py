"""The loss of embeddings in groups."""

import torch
import torch.nn.functional as F
from torch import Tensor


def contrast(vectors: Tensor, groups: Tensor, temperature: float) -> Tensor:
    """Supervised contrast of unit vectors, (B, W), by group (Khosla et al. 2020, equation 2)."""
    own = torch.eye(len(groups), dtype=torch.bool, device=groups.device)  # (B, B)
    cosines = (vectors @ vectors.T).masked_fill(own, -1e4)
    partners = (groups[:, None] == groups) & ~own
    nats = -F.log_softmax(cosines / temperature, dim=1) * partners
    return (nats.sum(dim=1) / partners.sum(dim=1).clamp(min=1)).mean()
