"""Mixtures of experts."""

from __future__ import annotations

from .base import Flops, Linear, Part, Repeat
from .mlp import MLP


class MixtureOfExperts(Part):
    """A router and `n_experts` MLPs, of which each token visits `top_k` (Shazeer et al., 2017)."""

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        n_experts: int,
        top_k: int,
        *,
        gated: bool = True,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.n_experts, self.top_k = n_experts, top_k
        self.router = Linear(d_model, n_experts)
        self.experts = Repeat(MLP(d_model, d_ff, gated=gated, bias=bias), n_experts)

    def flops(self, batch: int, length: int) -> Flops:
        """The router, and `top_k` experts for each position."""
        visited = self.experts.block.flops(batch, length) * self.top_k
        return self.router.flops(batch, length) + visited

    def idle(self, *, quantizable_only: bool = False) -> int:
        expert = self.experts.block.count(quantizable_only=quantizable_only)
        return (self.n_experts - self.top_k) * expert
