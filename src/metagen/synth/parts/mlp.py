"""Position-wise feed-forward networks."""

from __future__ import annotations

from .base import Linear, Part


class MLP(Part):
    """A gated (Shazeer, 2020) or plain two-layer perceptron of hidden width `d_ff`."""

    def __init__(self, d_model: int, d_ff: int, *, gated: bool = True, bias: bool = False) -> None:
        super().__init__()
        if gated:
            self.gate_proj = Linear(d_model, d_ff, bias)
        self.up_proj = Linear(d_model, d_ff, bias)
        self.down_proj = Linear(d_ff, d_model, bias)
