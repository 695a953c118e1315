"""Position-wise feed-forward networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Linear, Part

if TYPE_CHECKING:
    from ..arrays import Array


class MLP(Part):
    """A gated (Shazeer, 2020) or plain two-layer perceptron of hidden width `d_ff`."""

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        *,
        gated: bool = True,
        bias: bool = False,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        self.gated, self.activation = gated, activation
        if gated:
            self.gate_proj = Linear(d_model, d_ff, bias)
        self.up_proj = Linear(d_model, d_ff, bias)
        self.down_proj = Linear(d_ff, d_model, bias)

    def forward(self, x: Array) -> Array:
        """(..., d_model) -> the same."""
        if self.gated:
            return self.down_proj(self.gate_proj(x).apply(self.activation) * self.up_proj(x))
        return self.down_proj(self.up_proj(x).apply(self.activation))
