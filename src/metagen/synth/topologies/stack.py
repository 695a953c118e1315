"""What stacks of equal blocks share: shapes that fill a budget as practice would."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..dims import Dim, number
from ..parts.base import Part
from ..solver import Frame, Shape, required_fill, stack_shapes
from .base import Node, Topology

#: The dimensions of a stack of attention and MLP.
STACK: Mapping[str, Dim] = {
    "d_model": number(None, "width of the residual stream", low=8, high=2**18),
    "n_layers": number(None, "number of blocks", high=2048),
    "n_heads": number(None, "attention heads", high=4096),
    "head_dim": number(None, "width of one attention head", low=2, high=4096),
    "d_ff": number(None, "hidden width of the MLP", high=2**20),
}

#: How documents call them.
STACK_SHOWN = {
    "n_layers": "Layers",
    "d_model": "Width",
    "n_heads": "Attention heads",
    "head_dim": "Head dimension",
    "d_ff": "Feed-forward width",
}

#: Its nodes, where `blocks` holds it and `norm` stands behind.
STACK_NODES = (
    Node("attention", "self-attention", ("blocks.attn",), repeated=True),
    Node("mlp", "feed-forward network", ("blocks.mlp",), repeated=True),
    Node("norm", "normalisation", ("norm",)),
)

#: Widths that are tried where what stands around the blocks leaves no room for customary ones.
NARROW = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)


class StackTopology(Topology):
    """A stack of equal blocks between an input adapter and a head.

    Attributes:
        narrow: widths that are tried where what stands around the blocks (classes, positions,
            columns) leaves no room for customary ones; none where nothing there can be large.
    """

    narrow: tuple[int, ...] = ()

    @abstractmethod
    def block(self, dims: Mapping[str, Any]) -> Part:
        """One of the `n_layers` equal blocks."""

    @abstractmethod
    def aspect(self, budget: float) -> float:
        """The customary width over depth at a budget."""

    def bulk(self, dims: Mapping[str, Any]) -> float:
        """The customary parameters of a block, in squares of d_model."""
        return 13.0

    def ff_ratio(self, dims: Mapping[str, Any]) -> float:
        """The customary d_ff / d_model."""
        return 4.0

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Candidates, best first: of customary widths, and where those do not fit, of `narrow`."""
        found = stack_shapes(self, budget, frame)
        filled = required_fill(budget) * budget <= found[0].params <= budget
        if frame.pins or filled or not self.narrow:
            return found
        for width in self.narrow:
            found += stack_shapes(self, budget, replace(frame, pins={"d_model": width}))
        fitting = [shape for shape in found if shape.params <= budget]
        smallest = min(found, key=lambda shape: shape.params)
        return sorted(fitting, key=lambda shape: -shape.params)[:5] or [smallest]


def tiny_stack(
    dims: Mapping[str, Any], n_layers: int, d_ff: int, d_model: int = 64
) -> dict[str, Any]:
    """A stack of the tiny preset, never above the full one."""
    return {
        "d_model": min(d_model, dims["d_model"]),
        "n_layers": min(n_layers, dims["n_layers"]),
        "n_heads": min(4, dims["n_heads"]),
        "head_dim": min(16, dims["head_dim"]),
        "d_ff": min(d_ff, dims["d_ff"]),
    }
