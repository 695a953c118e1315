"""Normalisation layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Part

if TYPE_CHECKING:
    from ..arrays import Array


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


def unit(x: Array) -> Array:
    """`F.normalize`: vectors of length 1, (..., width) -> the same."""
    wide = x.trace.full("norm", x)
    length = wide.mean(-1, keepdim=True)
    for array in (wide, length) if x.grad else ():
        x.trace.keep(array)
    return x / length.apply("clamp")
