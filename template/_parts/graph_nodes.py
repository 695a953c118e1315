"""A network over a graph that names its nodes.

Shapes are written in letters:

    N  nodes of the batch            A  features of a node
    E  edges of the batch            D  features of a layer
    B  nodes to be named             V  classes
    H  attention heads               K  features of a head
    F  hidden features of an MLP
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Config
from .graph_network import GraphNetwork


class NodeClassifier(GraphNetwork):
    """Message passing over a graph, and scores of the classes for some of its nodes."""

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores of the classes for the nodes `batch["seeds"]`, (B,) -> (B, V)."""
        if self.config.residual:
            return self.head(self.encode(batch)[batch["seeds"]])  # (N, A) -> (B, D) -> (B, V)
        else:
            return self.encode(batch)[batch["seeds"]]  # (N, A) -> (N, V) -> (B, V)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean negative log-likelihood of `batch["labels"]`, (B,), in nats per node."""
        return F.cross_entropy(self(batch).float(), batch["labels"])


def build_model(config: Config) -> NodeClassifier:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = NodeClassifier(config)
    device = next(model.parameters()).device
    if device.type != "meta":
        model.init_weights(torch.Generator(device).manual_seed(config.seed))
    return model
