"""A network that judges whole graphs.

Shapes are written in letters:

    N  nodes of the batch            A  features of a node
    E  edges of the batch            D  features of a layer
    G  graphs of the batch           V  classes
    H  attention heads               K  features of a head
    W  features of an embedding      F  hidden features of an MLP
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .graph_network import GraphNetwork


class GraphReader(GraphNetwork):
    """Message passing within each graph, one vector for each, and a head for each output."""

    def __init__(self, config: Config):
        super().__init__(config)
        dim = config.d_model
        if config.gives_label:
            self.label_head = nn.Linear(dim, config.num_classes)
        if config.gives_value:
            self.value_head = nn.Linear(dim, 1)
        if config.gives_embedding:
            self.embedding_head = nn.Linear(dim, config.embedding_dim)

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """One vector for each graph, (G, D); `batch["sizes"]`, (G,), are their numbers of nodes."""
        x, sizes = self.encode(batch), batch["sizes"]  # (N, D) and (G,)
        graphs = torch.arange(sizes.size(0), device=x.device)
        owner = graphs.repeat_interleave(sizes, output_size=x.size(0))  # (N,)
        total = x.new_zeros(sizes.size(0), x.size(1)).index_add(0, owner, x)  # (N, D) -> (G, D)
        if self.config.pool == "mean":
            return total / sizes.unsqueeze(1)
        else:
            return total

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Every output, by its name."""
        x = self.features(batch)
        outputs = {}
        if self.config.gives_label:
            outputs["label"] = self.label_head(x)  # (G, D) -> (G, V)
        if self.config.gives_value:
            outputs["value"] = self.value_head(x).squeeze(-1)  # (G, D) -> (G,)
        if self.config.gives_embedding:
            outputs["embedding"] = F.normalize(self.embedding_head(x), dim=-1)  # (G, D) -> (G, W)
        return outputs

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of each output, by what it is."""
        outputs = self(batch)
        losses = {}
        if self.config.gives_label:
            scores = outputs["label"].float()
            losses["cross-entropy of the label"] = F.cross_entropy(scores, batch["labels"])
        if self.config.gives_value:
            values = outputs["value"].float()
            losses["squared error of the value"] = F.mse_loss(values, batch["values"])
        if self.config.gives_embedding:
            vectors, groups = outputs["embedding"].float(), batch["groups"]
            own = torch.eye(len(groups), dtype=torch.bool, device=groups.device)  # (G, G)
            cosines = (vectors @ vectors.T).masked_fill(own, -1e4)
            partners = (groups[:, None] == groups) & ~own
            nats = -F.log_softmax(cosines / self.config.temperature, dim=1) * partners
            # Supervised contrast, Khosla et al. 2020, equation 2
            each = nats.sum(dim=1) / partners.sum(dim=1).clamp(min=1)  # (G, G) -> (G,)
            losses["contrast of the embedding"] = each.mean()
        return losses

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The sum of `losses`."""
        return torch.stack(list(self.losses(batch).values())).sum()


def build_model(config: Config) -> GraphReader:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = GraphReader(config)
    device = next(model.parameters()).device
    if device.type != "meta":
        model.init_weights(torch.Generator(device).manual_seed(config.seed))
    return model
