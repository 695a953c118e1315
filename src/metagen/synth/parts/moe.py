"""Mixtures of experts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arrays import concatenate
from .base import Flops, Linear, Part, Repeat
from .mlp import MLP

if TYPE_CHECKING:
    from ..arrays import Array


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
        activation: str = "silu",
        norm_topk: bool = True,
    ) -> None:
        super().__init__()
        self.norm_topk = norm_topk
        self.n_experts, self.top_k = n_experts, top_k
        self.router = Linear(d_model, n_experts)
        expert = MLP(d_model, d_ff, gated=gated, bias=bias, activation=activation)
        self.experts = Repeat(expert, n_experts)

    def flops(self, batch: int, length: int) -> Flops:
        """The router, and `top_k` experts for each position."""
        visited = self.experts.block.flops(batch, length) * self.top_k
        return self.router.flops(batch, length) + visited

    def forward(self, x: Array) -> Array:
        """(B, T, d_model) -> the same; every expert gets its even share of the visits."""
        trace, k, experts = x.trace, self.top_k, self.n_experts
        tokens = x.flatten(0, 1)  # (N, D)
        odds = self.router(tokens).float().softmax()  # (N, E)
        count, visits = tokens.shape[0], tokens.shape[0] * k
        weights = trace.compute((odds,), (count, k))
        chosen, order = trace.new((count, k), "int64"), trace.new((visits,), "int64")
        for indices in (chosen, order):
            trace.keep(indices)
        if self.norm_topk:
            weights = weights / weights.sum(-1, keepdim=True)
        sorted_tokens = tokens.take(visits, tokens.shape[1])  # (N * k, D)
        share, left = divmod(visits, experts)
        sizes = [share + (i < left) for i in range(experts)]
        outputs = [
            trace.distinct(self.experts.block, piece) for piece in sorted_tokens.split(sizes, 0)
        ]
        scale = trace.compute((weights,), (visits, 1)).to(x.dtype)
        y = concatenate(outputs, 0) * scale
        trace.keep(y)
        y = trace.compute((y, trace.new(y.shape, y.dtype)), y.shape)  # in the order of the tokens
        return y.view(count, k, -1).sum(1).view(*x.shape)

    def idle(self, *, quantizable_only: bool = False) -> int:
        expert = self.experts.block.count(quantizable_only=quantizable_only)
        return (self.n_experts - self.top_k) * expert
