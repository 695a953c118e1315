"""Normalisation layers."""

from __future__ import annotations

from .base import Part


class Norm(Part):
    """RMSNorm (weight only) or LayerNorm (weight, and a bias on request) over `width` features."""

    def __init__(self, width: int, kind: str = "rmsnorm", bias: bool = False) -> None:
        super().__init__()
        self.parameter("weight", width)
        if kind == "layernorm" and bias:
            self.parameter("bias", width)
