"""Recommendation by two towers: users and items as vectors of one space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..dims import Dim, number, real, text
from ..parts.base import Part
from ..parts.recommender import TwoTowers
from ..solver import Frame, Shape, below
from .base import Node, Topology, Work, short_run
from .mlp_stacks import mlp_shapes

TABLE: Mapping[str, Dim] = {
    "num_users": number(None, "users that have a vector of their own", high=10**11),
    "num_items": number(None, "items to recommend", low=2, high=10**11),
    "feature_rows": number(1000, "rows of the table of features, which are hashed", high=10**9),
    "feature_slots": number(8, "features that are read of an item", high=4096),
    "history_length": number(20, "items that are read of a user's history", high=10**5),
    "id_dim": number(None, "width of the vector of an id", high=2**16),
    "embedding_dim": number(64, "width of a tower's vector", high=2**16),
    "temperature": real(0.1, "divisor of the cosines", low=1e-3, high=10.0),
    "d_model": number(None, "width of a tower's residual stream", high=2**18),
    "n_layers": number(None, "blocks of a tower", high=2048),
    "d_ff": number(None, "hidden width of a block", high=2**22),
    "norm_eps": real(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
}

#: (budget, items) where a spec does not say how many there are.
ITEMS = (
    (1e6, 1000), (1e7, 10_000), (1e8, 100_000), (1e9, 10**6), (1e10, 10**7), (1e11, 10**8),
    (float("inf"), 10**9),
)  # fmt: skip
ID_DIMS = (4, 8, 16, 32, 64, 128, 256)
#: The largest share of the budget that goes to tables: most of it, as in practice.
TABLES = 0.85
FEWEST_USERS = 100


class RecommenderTopology(Topology):
    """A tower for users, a tower for items, and tables below them that hold most parameters."""

    id = "two_towers"
    phrase = "two-tower recommender"
    objective = "sampled softmax, corrected for the popularity of items"
    covers = {
        "inputs": frozenset({"tabular", "text", "state"}),
        "outputs": frozenset({"label", "value", "embedding", "tabular"}),
        "objective": frozenset({"ranking", "contrastive"}),
        "task": frozenset({"recommendation"}),
        "family": frozenset({"mlp", "transformer"}),
    }
    served_as = "the recommendation of items"
    unit = "interaction"
    table = TABLE
    aliases = {"num_embeddings": "num_items", "hidden_size": "d_model"}
    floor = {"id_dim": 4, "d_model": 8, "n_layers": 1, "d_ff": 8}
    top = "recommender"
    exports = ("TwoTowers", "build_model")
    programs = ("common", "plots", "recommendation")
    settings = {
        "data": text("CSV of user, item and perhaps timestamp; empty: built in"),
        "items": text("CSV of items, the first column their names; empty: no features"),
    }
    shown = {
        "num_users": "Users",
        "num_items": "Items",
        "id_dim": "Width of an id",
        "n_layers": "Layers of a tower",
        "d_model": "Width of a tower",
        "embedding_dim": "Width of a vector",
    }
    nodes = (
        Node("user", "input"),
        Node(
            "tables",
            "embedded ids",
            ("user_embed", "item_embed", "feature_embed"),
            into=("user_tower", "item_tower"),
        ),
        Node("user_tower", "residual perceptron", ("user_tower",), into=("score",)),
        Node("item_tower", "residual perceptron", ("item_tower",)),
        Node("score", "cosine over temperature"),
        Node("loss", "cross-entropy over the items of a batch"),
    )
    batch = 4096
    learning_rate = 1e-3
    learning_rate_source = "custom"
    most_units_per_param = 2.0

    def given(self, spec: Any) -> dict[str, Any]:
        """How many items there are, and how wide their vectors."""
        asked = {name: getattr(spec.task, name) for name in ("num_items", "embedding_dim")}
        return {name: value for name, value in asked.items() if value}

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        """As everywhere; as many users as items, fewer where the budget has no room for them."""
        dims = super().base(budget, frame)
        dims["num_items"] = dims["num_items"] or below(ITEMS, budget)
        if not dims["num_users"]:
            narrowest = dims["id_dim"] or ID_DIMS[0]
            room = TABLES * budget / narrowest - dims["num_items"] - dims["feature_rows"]
            dims["num_users"] = max(FEWEST_USERS, min(dims["num_items"], int(room) // 100 * 100))
        return dims

    def build(self, dims: Mapping[str, Any]) -> TwoTowers:
        return TwoTowers(dims)

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """The widest tables that the budget has room for, and towers that fill the rest."""
        base = self.base(budget, frame)
        if base["id_dim"]:
            return mlp_shapes(self, budget, frame, [base], stacks=2)
        rows = base["num_users"] + base["num_items"] + base["feature_rows"]
        fitting = [width for width in ID_DIMS if rows * width <= TABLES * budget]
        widths = fitting[-1:] or ID_DIMS[:1]
        return mlp_shapes(self, budget, frame, [base | {"id_dim": w} for w in widths], stacks=2)

    # -- costs --------------------------------------------------------------------------------

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        return Work(model.flops(1, 1), 1, "one user and one item")

    # -- code and documents -------------------------------------------------------------------

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        return ("accumulation",)  # the other items are those of one micro-batch

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "num_users": min(1000, dims["num_users"]),
            "num_items": min(300, dims["num_items"]),
            "feature_rows": min(64, dims["feature_rows"]),
            "feature_slots": min(4, dims["feature_slots"]),
            "history_length": min(10, dims["history_length"]),
            "id_dim": min(16, dims["id_dim"]),
            "embedding_dim": min(32, dims["embedding_dim"]),
            "d_model": min(64, dims["d_model"]),
            "n_layers": min(2, dims["n_layers"]),
            "d_ff": min(128, dims["d_ff"]),
            **short_run(steps=600, batch=256, learning_rate=0.003, warmup=30),
            "val_fraction": 0.5,
            "eval_interval": 200,
            "eval_samples": 256,
            "checkpoint_interval": 300,
        }

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {"infer_args": "--limit 12"}

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        vector = ["batch", dims["embedding_dim"]]
        return {
            "user": ["batch", 2 + dims["history_length"] + dims["feature_slots"]],
            "tables": ["batch", 4, dims["id_dim"]],
            "user_tower": vector,
            "item_tower": vector,
            "score": ["batch", "batch"],
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["history_length"] > 1:
            yield "History", "the history but for its newest item", {"history_length": 1}
        half = max(1, dims["id_dim"] // 2)
        yield "Width of an id", f"half of the width of ids: {half} remain", {"id_dim": half}
