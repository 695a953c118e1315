"""The decision transformer: control as the continuation of a sequence of wanted returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log10
from typing import Any

from ..dims import Dim, choice, flag, number, real, text
from ..parts.rl import DecisionBlock, DecisionTransformer, action_width
from ..solver import Frame, interpolate
from .agents import DECISIONS, AgentTopology
from .base import Node, Pace, short_run
from .stack import NARROW, STACK, StackTopology
from .vit import ASPECT

TABLE: Mapping[str, Dim] = {
    "actions": choice("continuous", "kind of the actions", "discrete", "continuous"),
    "state_dim": number(None, "numbers of a state", high=10**6),
    "num_actions": number(None, "actions to choose from", low=2, high=10**6),
    "action_dim": number(None, "dimensions of an action", high=10**5),
    "context_steps": number(20, "steps of an episode that are seen at once", high=2**16),
    "max_episode": number(None, "steps of the longest episode", high=2**22),
    **STACK,
    "activation": choice("relu", "feed-forward nonlinearity", "relu", "gelu", "gelu_tanh"),
    "norm_eps": real(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
    "spare_tables": flag(False, "the token and position tables of the published checkpoint"),
    "n_positions": number(1024, "rows of the spare table of positions", high=2**22),
}  # fmt: skip

SETTINGS: Mapping[str, Dim] = {
    "data": text("CSV of episodes, as infer writes them; empty: built-in controllers"),
    "env": text("environment to play in: gymnasium:NAME, or empty for the built-in one"),
    "episodes": number(2000, "episodes that the built-in controllers play"),
    "target_share": real(1.0, "return to aim for, as a share of the best in the data"),
    "auxiliary_weight": real(0.1, "weight of predicting the next states and returns"),
}


class DecisionTopology(StackTopology):
    """Returns, states and actions in turn, blocks of causal attention, a head for the actions."""

    id = "decision_transformer"
    phrase = "decision transformer"
    objective = "imitation of what led to a wanted return"
    covers = {
        "inputs": frozenset({"state"}),
        "outputs": frozenset({"action"}),
        "objective": frozenset({"autoregressive"}),
        "task": frozenset({"generation", "actor_critic", "policy_gradient", "value_based"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "control: actions that lead to a wanted return"
    unit = "environment step"
    rate_unit = "steps/s"
    table = TABLE
    aliases = {
        "hidden_size": "d_model", "n_layer": "n_layers", "n_head": "n_heads", "n_inner": "d_ff",
        "act_dim": "action_dim", "max_ep_len": "max_episode", "activation_function": "activation",
        "layer_norm_epsilon": "norm_eps",
    }  # fmt: skip
    floor = {"d_model": 32, "n_layers": 1, "n_heads": 1, "head_dim": 32, "d_ff": 64}
    top = "decision_transformer"
    exports = ("DecisionTransformer", "build_model")
    settings = SETTINGS
    narrow = NARROW
    batch = 256
    most_units_per_param = 50.0
    learning_rate = 1e-4
    learning_rate_source = "Chen et al., 2021, table 9"
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Attention heads",
        "d_ff": "Feed-forward width",
        "context_steps": "Steps seen",
        "state_dim": "State",
    }
    nodes = (
        Node("steps", "input"),
        Node(
            "embed",
            "embeddings of returns, states, actions and time",
            ("embed_timestep", "embed_return", "embed_state", "embed_action", "embed_norm",
             "token_table", "position_table"),
        ),
        Node("attention", "causal self-attention", ("blocks.attn",), repeated=True),
        Node("mlp", "feed-forward network", ("blocks.mlp",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("head", "heads", ("predict_state", "predict_action", "predict_return")),
        Node("loss", "distance to the actions that were taken"),
    )  # fmt: skip

    def given(self, spec: Any) -> dict[str, Any]:
        asked = {n: getattr(spec.task, n) for n in ("state_dim", "num_actions", "action_dim")}
        asked = {name: value for name, value in asked.items() if value}
        if "num_actions" in asked and "action_dim" not in asked:
            asked["actions"] = "discrete"
        return asked

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        continuous = dims["actions"] == "continuous"
        own, other = ("action_dim", "num_actions") if continuous else ("num_actions", "action_dim")
        dims[own] = dims[own] or {"action_dim": 1, "num_actions": 2}[own]
        dims.pop(other)
        dims["state_dim"] = dims["state_dim"] or AgentTopology.state_dims[dims["actions"]]
        dims["max_episode"] = dims["max_episode"] or (4096 if budget >= 4e6 else 512)
        if not dims["spare_tables"]:
            dims.pop("n_positions")
        return dims

    def build(self, dims: Mapping[str, Any]) -> DecisionTransformer:
        return DecisionTransformer(dims)

    def block(self, dims: Mapping[str, Any]) -> DecisionBlock:
        return DecisionBlock(dims)

    def aspect(self, budget: float) -> float:
        return interpolate(ASPECT, log10(max(budget, 1e5)))

    # -- costs --------------------------------------------------------------------------------

    def length(self, dims: Mapping[str, Any]) -> int:
        return dims["context_steps"]

    def too_slow(self, pace: Pace, latency: str) -> bool:
        return pace.rate < DECISIONS[latency]

    latency_asked = AgentTopology.latency_asked
    latency_achieved = AgentTopology.latency_achieved

    # -- code and documents -------------------------------------------------------------------

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        own = {"mlp": "plain", "mlp_bias": True, "observation": "state"}
        return super().switches(dims) | own

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        return {name: name for name in super().fields(dims) if name in dims}

    def folders(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        pendulum = switches["actions"] == "continuous"
        worlds = ("rl_pendulum", "decision_pendulum") if pendulum else (
            "rl_cart_pole", "decision_cart_pole",
        )  # fmt: skip
        return ("common", "rl", "decision", *worlds)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        continuous = dims["actions"] == "continuous"
        small = {
            "state_dim": min(3 if continuous else 4, dims["state_dim"]),
            "context_steps": min(10, dims["context_steps"]),
            "max_episode": min(512, dims["max_episode"]),
            "d_model": min(48, dims["d_model"]),
            "n_layers": min(2, dims["n_layers"]),
            "n_heads": min(2, dims["n_heads"]),
            "head_dim": min(24, dims["head_dim"]),
            "d_ff": min(192, dims["d_ff"]),
            "episodes": 300,
            **short_run(steps=600, batch=64, learning_rate=0.003, warmup=30),
            "eval_interval": 200,
            "eval_samples": 256,
            "checkpoint_interval": 200,
        }
        if dims["spare_tables"]:
            small["n_positions"] = min(64, dims["n_positions"])
        own = "action_dim" if continuous else "num_actions"
        return small | {own: min(1 if continuous else 2, dims[own])}

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        positions = 3 * dims["context_steps"]
        shapes = {node.id: ["batch", positions, dims["d_model"]] for node in self.nodes}
        return shapes | {
            "steps": ["batch", dims["context_steps"], dims["state_dim"]],
            "head": ["batch", dims["context_steps"], action_width(dims)],
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["d_ff"] > 64:
            half = dims["d_ff"] // 2
            yield "Feed-forward width", f"half of it: {half} remain", {"d_ff": half}
