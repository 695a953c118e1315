"""A network that judges whole graphs.

Shapes are written in letters:

    N  nodes of the batch            A  features of a node
    E  edges of the batch            D  features of a layer
    B  graphs of the batch           V  classes
    H  attention heads               K  features of a head
    W  features of an embedding      F  hidden features of an MLP
"""

import torch
from torch import Tensor

from .config import Config
from .graph_network import GraphNetwork
from .output_heads import OutputHeads


class GraphReader(OutputHeads, GraphNetwork):
    """Message passing within each graph, one vector for each, and a head for each output."""

    def __init__(self, config: Config):
        super().__init__(config)
        self.add_heads(config)

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """One vector for each graph, (B, D); `batch["sizes"]`, (B,), are their numbers of nodes."""
        x, sizes = self.encode(batch), batch["sizes"]  # (N, D) and (B,)
        graphs = torch.arange(sizes.size(0), device=x.device)
        owner = graphs.repeat_interleave(sizes, output_size=x.size(0))  # (N,)
        total = x.new_zeros(sizes.size(0), x.size(1)).index_add(0, owner, x)  # (N, D) -> (B, D)
        if self.config.pool == "mean":
            return total / sizes.unsqueeze(1)
        else:
            return total


def build_model(config: Config) -> GraphReader:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = GraphReader(config)
    device = next(model.parameters()).device
    if device.type != "meta":
        model.init_weights(torch.Generator(device).manual_seed(config.seed))
    return model
