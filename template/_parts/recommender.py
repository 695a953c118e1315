"""Two towers that place users and items in one space (Yi et al. 2019).

Shapes are written in letters:

    B  users, and items, of a batch  D  features of a tower's residual stream
    L  items of a history            F  hidden features of a block
    S  features of an item           I  features of an id
    W  features of a tower's vector
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .residual_mlp import ResidualMLP


class Tower(nn.Module):
    """What is known of a user or an item as a vector of length 1."""

    def __init__(self, config: Config):
        super().__init__()
        self.in_proj = nn.Linear(2 * config.id_dim, config.d_model)
        self.blocks = nn.ModuleList(ResidualMLP(config) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.out_proj = nn.Linear(config.d_model, config.embedding_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.in_proj(x)  # (B, 2 * I) -> (B, D)
        for block in self.blocks:
            x = block(x)
        return F.normalize(self.out_proj(self.norm(x)), dim=-1)  # (B, D) -> (B, W)


class TwoTowers(nn.Module):
    """A tower for users and their histories, and one for items and their features."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.user_embed = nn.Embedding(config.num_users, config.id_dim)
        self.item_embed = nn.Embedding(config.num_items, config.id_dim)
        self.feature_embed = nn.Embedding(config.feature_rows, config.id_dim)
        self.user_tower = Tower(config)
        self.item_tower = Tower(config)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks of both towers."""
        return [*self.user_tower.blocks, *self.item_tower.blocks]

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`: within one over the square root of what is summed.

        Those that write to a residual stream shrink with depth (Radford et al. 2019, section 2.3).
        """
        if "norm" in name:
            nn.init.constant_(weight, float(name.endswith("weight")))
        elif weight.dim() == 1:
            nn.init.zeros_(weight)
        else:
            bound = 1 / math.sqrt(weight.size(-1))
            if name.endswith("down_proj.weight"):
                bound = bound / math.sqrt(self.config.n_layers)
            nn.init.uniform_(weight, -bound, bound, generator=generator)

    def users(self, batch: dict[str, Tensor]) -> Tensor:
        """A vector for each of `batch["users"]`, (B,) -> (B, W).

        `batch["history"]`, (B, L), are items they had before, where `batch["held"]` says so.
        """
        own = self.user_embed(batch["users"])  # (B, I)
        held = batch["held"].unsqueeze(-1).type_as(own)  # (B, L, 1)
        total = (self.item_embed(batch["history"]) * held).sum(dim=1)  # (B, L, I) -> (B, I)
        mean = total / held.sum(dim=1).clamp(min=1)
        return self.user_tower(torch.cat((own, mean), dim=1))

    def items(self, batch: dict[str, Tensor]) -> Tensor:
        """A vector for each of `batch["items"]`, (B,) -> (B, W).

        `batch["features"]`, (B, S), are rows of features that count as `batch["weights"]` says.
        """
        own = self.item_embed(batch["items"])  # (B, I)
        weights = batch["weights"].unsqueeze(-1).type_as(own)  # (B, S, 1)
        features = (self.feature_embed(batch["features"]) * weights).sum(dim=1)  # (B, I)
        return self.item_tower(torch.cat((own, features), dim=1))

    def scores(self, users: Tensor, items: Tensor) -> Tensor:
        """How well vectors fit, (B, W) and (N, W) -> (B, N), in log-odds up to a constant."""
        return users @ items.T / self.config.temperature

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores of every user of the batch for every item of it, (B, B)."""
        return self.scores(self.users(batch), self.items(batch))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Nats of each user's own item among those of the batch (Yi et al. 2019, equation 5).

        An item is as likely in a batch as it is popular: `batch["log_q"]`, (B,), takes that back.
        The same item at another user's place is not held against it.
        """
        items = batch["items"]
        scores = self(batch).float() - batch["log_q"]  # (B, B)
        own = torch.eye(len(items), dtype=torch.bool, device=items.device)
        again = (items[:, None] == items) & ~own
        order = torch.arange(len(items), device=items.device)
        return F.cross_entropy(scores.masked_fill(again, -1e4), order)


def build_model(config: Config) -> TwoTowers:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = TwoTowers(config)
    weight = model.user_embed.weight
    if not weight.is_meta:
        model.init_weights(torch.Generator(weight.device).manual_seed(config.seed))
    return model
