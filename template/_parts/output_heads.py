"""Several outputs read off one vector, and the loss of each."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .contrast import contrast


class OutputHeads(nn.Module):
    """A head for each output, over the vectors of `features`, which subclasses have."""

    def add_heads(self, config: Config) -> None:
        """A head for each output."""
        if config.gives_label:
            self.label_head = nn.Linear(config.d_model, config.num_classes)
        if config.gives_value:
            self.value_head = nn.Linear(config.d_model, 1)
        if config.gives_embedding:
            self.embedding_head = nn.Linear(config.d_model, config.embedding_dim)
            self.temperature = config.temperature

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Every output, by its name."""
        x = self.features(batch)
        outputs = {}
        if self.config.gives_label:
            outputs["label"] = self.label_head(x)  # (B, D) -> (B, V)
        if self.config.gives_value:
            outputs["value"] = self.value_head(x).squeeze(-1)  # (B, D) -> (B,)
        if self.config.gives_embedding:
            outputs["embedding"] = F.normalize(self.embedding_head(x), dim=-1)  # (B, D) -> (B, W)
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
            losses["contrast of the embedding"] = contrast(vectors, groups, self.temperature)
        return losses

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The sum of `losses`."""
        return torch.stack(list(self.losses(batch).values())).sum()
