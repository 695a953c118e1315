"""Two towers over embedded users, items and features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Embedding, Flops, Linear, Part, Repeat
from .norms import Norm
from .tabular import ResidualMLP


class Tower(Part):
    """Two vectors side by side, `n_layers` residual blocks, and a projection without a bias."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.in_proj = Linear(2 * dims["id_dim"], dims["d_model"], True)
        self.blocks = Repeat(ResidualMLP(dims), dims["n_layers"])
        self.norm = Norm(dims["d_model"], "layernorm", True)
        self.out_proj = Linear(dims["d_model"], dims["embedding_dim"])


class TwoTowers(Part):
    """Tables of users, items and features below a tower for users and one for items."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.width = dims["embedding_dim"]
        self.user_embed = Embedding(dims["num_users"], dims["id_dim"])
        self.item_embed = Embedding(dims["num_items"], dims["id_dim"])
        self.feature_embed = Embedding(dims["feature_rows"], dims["id_dim"])
        self.user_tower = Tower(dims)
        self.item_tower = Tower(dims)

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of `batch` users and as many items, each scored for each."""
        return super().flops(batch, 1) + Flops(2 * batch * batch * self.width)
