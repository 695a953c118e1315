"""Two towers over embedded users, items and features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from ..trace import given
from .base import Embedding, Flops, Linear, Part, Repeat
from .norms import Norm, unit
from .tabular import ResidualMLP

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class Batch:
    """Numbers of users and items, of what they had and are, and what of it counts."""

    def __init__(
        self, make: Callable[[Sequence[int], str], Array], batch: int, history: int, slots: int
    ) -> None:
        self.users, self.items = (make((batch,), "int64") for _ in range(2))
        self.history = make((batch, history), "int64")
        self.held = make((batch, history), "bool")
        self.features = make((batch, slots), "int64")
        self.weights = make((batch, slots), "fp32")
        self.log_q = make((batch,), "fp32")


class Tower(Part):
    """Two vectors side by side, `n_layers` residual blocks, and a projection without a bias."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.in_proj = Linear(2 * dims["id_dim"], dims["d_model"], True)
        self.blocks = Repeat(ResidualMLP(dims), dims["n_layers"])
        self.norm = Norm(dims["d_model"], "layernorm", True)
        self.out_proj = Linear(dims["d_model"], dims["embedding_dim"])

    def forward(self, x: Array) -> Array:
        """(B, 2 · id_dim) -> (B, embedding_dim)."""
        x = self.in_proj(x)
        for block in self.blocks.each(x.trace, wrapped=True):
            x = block(x)
        return unit(self.out_proj(self.norm(x)))


class TwoTowers(Part):
    """Tables of users, items and features below a tower for users and one for items."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.width = dims["embedding_dim"]
        self.history, self.slots = dims["history_length"], dims["feature_slots"]
        self.user_embed = Embedding(dims["num_users"], dims["id_dim"])
        self.item_embed = Embedding(dims["num_items"], dims["id_dim"])
        self.feature_embed = Embedding(dims["feature_rows"], dims["id_dim"])
        self.user_tower = Tower(dims)
        self.item_tower = Tower(dims)

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of `batch` users and as many items, each scored for each."""
        return super().flops(batch, 1) + Flops(2 * batch * batch * self.width)

    def users(self, batch: Batch) -> Array:
        """A vector for each user, (B, W)."""
        own = self.user_embed(batch.users)
        held = batch.held.unsqueeze(-1).to(own.dtype)
        total = (self.item_embed(batch.history) * held).sum(1)
        mean = total / held.sum(1).apply("clamp")
        return self.user_tower(concatenate((own, mean), 1))

    def items(self, batch: Batch) -> Array:
        """A vector for each item, (B, W)."""
        own = self.item_embed(batch.items)
        weights = batch.weights.unsqueeze(-1).to(own.dtype)
        features = (self.feature_embed(batch.features) * weights).sum(1)
        return self.item_tower(concatenate((own, features), 1))

    def forward(self, batch: Batch) -> Array:
        """Scores of every user for every item, (B, B)."""
        return self.users(batch) @ self.items(batch).transpose(0, 1) / 1.0

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` users and their items."""
        rows = Batch(given(trace), batch, self.history, self.slots)
        scores = self(rows).float() - rows.log_q
        own, again = (trace.new(scores.shape, "bool") for _ in range(2))
        trace.keep(again)
        trace.compute((scores, again), scores.shape).cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """The score of `batch` users for as many items, which are there first."""
        self(Batch(trace.new, batch, self.history, self.slots))
