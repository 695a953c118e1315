"""Normalisation layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Part

if TYPE_CHECKING:
    from ..trace import Array


class Norm(Part):
    """RMSNorm (weight only) or LayerNorm (weight, and a bias on request) over `width` features."""

    def __init__(self, width: int, kind: str = "rmsnorm", bias: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.parameter("weight", width)
        if kind == "layernorm" and bias:
            self.parameter("bias", width)

    def forward(self, x: Array) -> Array:
        """(..., width) -> the same."""
        return x.trace.normalise(x, fused=self.kind == "layernorm")
