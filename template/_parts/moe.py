"""A feed-forward network of which every token uses a part."""

import torch
from torch import Tensor, nn

from .config import Config
from .mlp import MLP


class MixtureOfExperts(nn.Module):
    """E feed-forward networks; a router sends each token to k of them (Shazeer et al. 2017).

    N stands for all B * T tokens.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.router = nn.Linear(config.d_model, config.n_experts, bias=False)
        self.experts = nn.ModuleList(MLP(config) for _ in range(config.n_experts))

    def forward(self, x: Tensor) -> Tensor:
        tokens, k = x.flatten(0, 1), self.config.experts_per_token  # (B, T, D) -> (N, D)
        odds = self.router(tokens).softmax(dim=-1, dtype=torch.float32)  # (N, E)
        weights, chosen = odds.topk(k, dim=-1)  # (N, k)
        if self.config.norm_topk:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        order = chosen.flatten().argsort(stable=True)  # (N * k,), one expert's tokens together
        visits = torch.zeros_like(odds).scatter(1, chosen, 1.0).sum(dim=0)  # (E,)
        if self.training:
            self.imbalance = visits.dot(odds.mean(dim=0)) * len(self.experts) / len(order)
        pieces = tokens[order // k].split(sizes_of(visits, len(order)))  # (N_e, D) for each expert
        outputs = [expert(piece) for expert, piece in zip(self.experts, pieces, strict=True)]
        y = torch.cat(outputs) * weights.flatten()[order, None].to(x.dtype)  # (N * k, D)
        y = torch.zeros_like(y).index_copy(0, order, y)  # back in the order of the tokens
        return y.unflatten(0, (-1, k)).sum(dim=1).view_as(x)  # (N * k, D) -> (B, T, D)


def imbalance(blocks: nn.ModuleList) -> Tensor | float:
    """How unevenly the latest training batch used the experts: 1 when even; 0.0 in evaluation.

    Mean over the layers of E times the sum over experts of (share of visits) times (mean odds),
    which is the loss of Fedus et al. (2021), equation 4.
    """
    if not blocks.training:
        return 0.0
    return sum(block.mlp.imbalance for block in blocks) / max(1, len(blocks))


def sizes_of(visits: Tensor, total: int) -> list[int]:
    """How many tokens visit each expert; on the meta device, which has no values, even shares."""
    if visits.is_meta:
        even, rest = divmod(total, len(visits))
        return [even + (expert < rest) for expert in range(len(visits))]
    return visits.long().tolist()
