"""What models with several outputs share: a loss for each, and the dimensions that it brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Node, Topology


class SeveralOutputs(Topology):
    """A topology whose switches say what it gives, and maybe what it reads.

    Attributes:
        losses: what prose calls the loss of each output, by its switch.
        own: the dimensions that a switch brings with it.
    """

    objective = "the sum of the losses of its outputs"
    losses: Mapping[str, str] = {}
    own: Mapping[str, tuple[str, ...]] = {}

    def loss_of(self, dims: Mapping[str, Any]) -> str:
        """The losses of what is given, in words."""
        return " plus ".join(loss for name, loss in self.losses.items() if dims[name])

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        owned = {name for names in self.own.values() for name in names}
        present = {name for switch, names in self.own.items() if dims[switch] for name in names}
        absent = owned - present
        return {d: name for d, name in super().fields(dims).items() if d not in absent}

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return super().words(spec, dims) | {"objective": self.loss_of(dims)}

    def kind_of(self, node: Node, dims: Mapping[str, Any]) -> str:
        return self.loss_of(dims) if node.id == "loss" else super().kind_of(node, dims)
