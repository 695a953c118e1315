"""A network over a graph that tells which of its nodes are linked.

Shapes are written in letters:

    N  nodes of the batch            A  features of a node
    E  edges of the batch            D  features of a layer
    P  pairs of nodes to be judged   W  features of a node's embedding
    H  attention heads               K  features of a head
    F  hidden features of an MLP
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .graph_network import GraphNetwork


class LinkPredictor(GraphNetwork):
    """Message passing over a graph, and a score for pairs of its nodes."""

    def __init__(self, config: Config):
        super().__init__(config)
        self.bias = nn.Parameter(torch.empty(1))
        if config.decoder == "mlp":
            width = config.embedding_dim
            self.pair_up = nn.Linear(width, width)
            self.pair_down = nn.Linear(width, 1, bias=False)

    def embed_nodes(self, batch: dict[str, Tensor]) -> Tensor:
        """The embedding of every node of the batch, (N, W)."""
        if self.config.residual:
            return self.head(self.encode(batch))  # (N, A) -> (N, D) -> (N, W)
        else:
            return self.encode(batch)  # (N, A) -> (N, W)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """How likely the pairs `batch["pairs"]` are linked, (2, P) -> (P,), in log-odds."""
        x = self.embed_nodes(batch)
        first, second = batch["pairs"]
        both = x[first] * x[second]  # (P, W)
        if self.config.decoder == "mlp":
            score = self.pair_down(F.relu(self.pair_up(both))).squeeze(-1)  # (P, W) -> (P,)
        else:
            score = both.sum(-1) / both.size(-1) ** 0.5  # (P, W) -> (P,)
        return score + self.bias

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean cross-entropy of `batch["labels"]`, (P,), 1 where a pair is linked; in nats."""
        return F.binary_cross_entropy_with_logits(self(batch).float(), batch["labels"])


def build_model(config: Config) -> LinkPredictor:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = LinkPredictor(config)
    if not model.bias.is_meta:
        model.init_weights(torch.Generator(model.bias.device).manual_seed(config.seed))
    return model
