"""Agents that learn what actions are worth: deep Q-networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..dims import Dim, choice, flag, number, real
from ..parts.rl import QNetwork
from .agents import (
    DISCRETE,
    ENVIRONMENT,
    IMAGE_SHOWN,
    STATE_SHOWN,
    AgentTopology,
    pixel_table,
    state_table,
)
from .base import Node

_CHOICE = {
    "actions": choice("discrete", "kind of the actions", "discrete"),
    "double_q": flag(True, "the network chooses the action that its older copy judges"),
}

#: Mnih et al., 2015, extended data table 1, for environments side by side.
DQN_SETTINGS: Mapping[str, Dim] = {
    **ENVIRONMENT,
    "epochs": number(8, "times that an environment step is learned from, on average"),
    "replay_size": number(100_000, "transitions that are remembered"),
    "replay_batch": number(256, "remembered transitions of an update"),
    "learning_starts": number(10_000, "random transitions before the first update"),
    "target_interval": number(80, "steps of training between two renewals of the older copy"),
    "exploration": real(0.1, "share of the training over which chance falls"),
    "final_chance": real(0.05, "probability of acting at random after that"),
}

_DQN_TINY = {
    "n_envs": 8, "global_batch": 128, "micro_batch": 128, "replay_batch": 128, "epochs": 8,
    "learning_rate": 1e-3, "min_learning_rate": 1e-4, "warmup_steps": 1, "log_interval": 25,
    "replay_size": 50_000, "learning_starts": 1_000, "target_interval": 4,
    "exploration": 0.3,
}  # fmt: skip
_TINY_DQN: Mapping[str, Mapping[str, Any]] = {
    "state": _DQN_TINY
    | {
        "steps": 600, "eval_interval": 100, "checkpoint_interval": 100, "reward_scale": 0.05,
        "target_interval": 16, "final_chance": 0.1,
    },
    "image": _DQN_TINY | {
        "steps": 250, "eval_interval": 50, "checkpoint_interval": 50, "discount": 0.95,
        "replay_size": 20_000,
    },
}  # fmt: skip


class QNetworkTopology(AgentTopology):
    """The values of actions, over states."""

    id = "q_network"
    phrase = "deep Q-network"
    objective = "the temporal difference of action values"
    covers = {
        "inputs": frozenset({"state"}),
        "outputs": frozenset({"action"}),
        "objective": frozenset({"value_based"}),
        "task": frozenset({"value_based"}),
        "family": frozenset({"mlp"}),
    }
    served_as = "control by the values of actions"
    table = state_table(_CHOICE, DISCRETE)
    aliases = {"obs": "state_dim", "actions_n": "num_actions"}
    top = "q_network"
    exports = ("QNetwork", "build_model")
    settings = DQN_SETTINGS
    learning_rate = 2.5e-4
    learning_rate_source = "Mnih et al., 2015, extended data table 1"
    recipe = AgentTopology.recipe | {"grad_clip": 10.0}
    method = "rl_dqn"
    batch = 128
    shown = STATE_SHOWN
    nodes = (
        Node("observation", "input"),
        Node("encoder", "value network", ("encoder",)),
        Node("values", "values of the actions", ("head",)),
        Node("loss", "distance to the bootstrapped target"),
    )

    def build(self, dims: Mapping[str, Any]) -> QNetwork:
        return QNetwork(dims)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().tiny(dims) | _TINY_DQN[dims["observation"]]


class PixelQNetworkTopology(QNetworkTopology):
    """The values of actions, over the frames of a screen."""

    id = "pixel_q_network"
    phrase = "convolutional deep Q-network"
    covers = QNetworkTopology.covers | {
        "inputs": frozenset({"image"}),
        "family": frozenset({"cnn"}),
    }
    table = pixel_table(_CHOICE, DISCRETE)
    aliases = {}
    shown = IMAGE_SHOWN
    nodes = (
        Node("observation", "input"),
        Node("encoder", "convolutional encoder", ("encoder",)),
        Node("values", "values of the actions", ("head",)),
        Node("loss", "distance to the bootstrapped target"),
    )
