"""What every model of tables gives: a head for each output, and their losses."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .contrast import contrast


class TableModel(nn.Module):
    """Heads over one vector for each row; subclasses say how a row becomes one."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config

    def add_heads(self, width: int) -> None:
        """The last norm and a head for each output."""
        config = self.config
        self.norm = nn.LayerNorm(width, config.norm_eps)
        if config.gives_label:
            self.label_head = nn.Linear(width, config.num_classes)
        if config.gives_value:
            self.value_head = nn.Linear(width, config.num_targets)
        if config.gives_embedding:
            self.embedding_head = nn.Linear(width, config.embedding_dim)
        if config.gives_cells:
            self.number_head = nn.Linear(width, config.num_numeric)
            if config.categorical:
                cells = config.num_categorical * config.categories
                self.category_head = nn.Linear(width, cells)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`: within one over the square root of what is summed.

        Tokens begin as in Gorishniy et al. (2021, section 3.3); weights that write to the residual
        stream shrink with depth, which keeps its variance (Radford et al. 2019, section 2.3).
        """
        if "norm" in name and weight.dim() == 1:
            nn.init.constant_(weight, float(name.endswith("weight")))
        elif weight.dim() == 1:
            nn.init.zeros_(weight)
        else:
            bound = 1 / math.sqrt(weight.size(-1))
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                bound = bound / math.sqrt(2 * self.config.n_layers)
            nn.init.uniform_(weight, -bound, bound, generator=generator)

    def cells(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Numbers, (B, N), which of them are missing, (B, N), and codes of words, (B, C)."""
        numbers, absent = batch["numbers"], batch["absent"]
        words = batch["words"]
        if self.config.gives_cells:
            hidden = batch["hidden"]  # (B, N + C)
            absent = absent | hidden[:, : absent.size(1)]
            numbers = numbers.masked_fill(absent, 0.0)
            words = words.masked_fill(hidden[:, absent.size(1) :], 0)
        return numbers, absent, words

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Every output, by its name."""
        x = F.relu(self.norm(self.features(batch)))  # (B, D)
        outputs = {}
        if self.config.gives_label:
            outputs["label"] = self.label_head(x)  # (B, D) -> (B, V)
        if self.config.gives_value:
            outputs["value"] = self.value_head(x)  # (B, D) -> (B, M)
        if self.config.gives_embedding:
            outputs["embedding"] = F.normalize(self.embedding_head(x), dim=-1)  # (B, D) -> (B, E)
        if self.config.gives_cells:
            outputs["numbers"] = self.number_head(x)  # (B, D) -> (B, N)
            if self.config.categorical:
                words = self.category_head(x)  # (B, D) -> (B, C * K)
                outputs["words"] = words.unflatten(1, (-1, self.config.categories))  # (B, C, K)
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
            losses["squared error of the values"] = F.mse_loss(values, batch["values"])
        if self.config.gives_embedding:
            vectors, groups = outputs["embedding"].float(), batch["groups"]
            losses["contrast of the embedding"] = contrast(vectors, groups, self.config.temperature)
        if self.config.gives_cells:
            asked = batch["hidden"] & known(batch)  # (B, N + C)
            total = (surprise_of(batch, outputs) * asked).sum()
            losses["surprise at hidden cells"] = total / asked.sum().clamp(min=1)
        return losses

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The sum of `losses`."""
        return torch.stack(list(self.losses(batch).values())).sum()


def known(batch: dict[str, Tensor]) -> Tensor:
    """Which cells of a batch are not missing, (B, N + C)."""
    return torch.cat((~batch["absent"], batch["words"] > 0), dim=1)


def surprise_of(batch: dict[str, Tensor], outputs: dict[str, Tensor]) -> Tensor:
    """Half the squared error of every number, and nats of every word, (B, N + C)."""
    errors = (outputs["numbers"].float() - batch["numbers"]).square() / 2  # (B, N)
    if "words" not in outputs:
        return errors
    scores = outputs["words"].float().transpose(1, 2)  # (B, C, K) -> (B, K, C)
    nats = F.cross_entropy(scores, batch["words"], reduction="none")  # (B, C)
    return torch.cat((errors, nats), dim=1)
