"""Actor and critic: agents that learn by proximal policy optimisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..dims import Dim, choice, number, real
from ..parts.rl import ActorCritic
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

_EITHER = {"actions": choice("discrete", "kind of the actions", "discrete", "continuous")}
_ANSWERS = {**DISCRETE, "action_dim": number(None, "dimensions of an action", high=10**5)}
_SHOWN = {"action_dim": "Action dimensions"}

#: Schulman et al., 2017, tables 3 to 5.
PPO_SETTINGS: Mapping[str, Dim] = {
    **ENVIRONMENT,
    "epochs": number(4, "times that every environment step is learned from"),
    "minibatches": number(4, "updates of an epoch"),
    "gae_lambda": real(0.95, "how far ahead advantages look: 0 one step, 1 to the end"),
    "clip_range": real(0.2, "how far the policy's probabilities may move, as a share"),
    "value_weight": real(0.5, "weight of the critic's loss"),
    "entropy_weight": real(0.01, "weight of the policy's entropy"),
}
_PPO_TINY = {
    "epochs": 4, "minibatches": 4, "n_envs": 16, "global_batch": 1024, "micro_batch": 256,
    "learning_rate": 2e-3, "min_learning_rate": 1e-4, "warmup_steps": 1, "log_interval": 5,
    "entropy_weight": 0.0, "beta2": 0.95,
}  # fmt: skip
_TINY_PPO: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("state", "discrete"): _PPO_TINY | {
        "steps": 100, "eval_interval": 25, "checkpoint_interval": 25,
    },
    ("state", "continuous"): _PPO_TINY | {
        "steps": 300, "eval_interval": 50, "checkpoint_interval": 50, "discount": 0.9,
        "reward_scale": 0.1, "epochs": 8,
    },
    ("image", "discrete"): _PPO_TINY | {
        "steps": 100, "eval_interval": 25, "checkpoint_interval": 25, "discount": 0.95,
        "entropy_weight": 0.01,
    },
    ("image", "continuous"): _PPO_TINY | {
        "steps": 60, "eval_interval": 20, "checkpoint_interval": 20, "discount": 0.95,
    },
}  # fmt: skip


class ActorCriticTopology(AgentTopology):
    """A policy network beside a value network, over states."""

    id = "actor_critic"
    phrase = "actor-critic agent"
    objective = "the clipped policy gradient of proximal policy optimisation"
    covers = {
        "inputs": frozenset({"state"}),
        "outputs": frozenset({"action"}),
        "objective": frozenset({"actor_critic", "policy_gradient"}),
        "task": frozenset({"actor_critic", "policy_gradient"}),
        "family": frozenset({"mlp"}),
    }
    served_as = "control: an actor decides, a critic judges"
    table = state_table(_EITHER, _ANSWERS)
    aliases = {"obs": "state_dim", "act": "action_dim", "act_dim": "action_dim"}
    top = "actor_critic"
    exports = ("ActorCritic", "build_model")
    settings = PPO_SETTINGS
    learning_rate_source = "Schulman et al., 2017, table 3"
    method = "rl_ppo"
    batch = 8192
    shown = STATE_SHOWN | _SHOWN
    nodes = (
        Node("observation", "input", into=("actor", "critic")),
        Node("actor", "policy network", ("actor",), into=("policy",)),
        Node("critic", "value network", ("critic",), into=("value",)),
        Node("policy", "policy head", ("policy_head", "log_std"), into=("loss",)),
        Node("value", "value head", ("value_head",), into=("loss",)),
        Node("loss", "clipped surrogate, value error and entropy"),
    )

    def build(self, dims: Mapping[str, Any]) -> ActorCritic:
        return ActorCritic(dims)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().tiny(dims) | _TINY_PPO[dims["observation"], dims["actions"]]


class PixelActorCriticTopology(ActorCriticTopology):
    """A policy head and a value head over one convolutional encoder."""

    id = "pixel_actor_critic"
    phrase = "convolutional actor-critic agent"
    covers = ActorCriticTopology.covers | {
        "inputs": frozenset({"image"}),
        "family": frozenset({"cnn"}),
    }
    table = pixel_table(_EITHER, _ANSWERS)
    aliases = {"act_dim": "action_dim"}
    shown = IMAGE_SHOWN | _SHOWN
    nodes = (
        Node("observation", "input"),
        Node("encoder", "convolutional encoder", ("encoder",), into=("policy", "value")),
        Node("policy", "policy head", ("policy_head", "log_std"), into=("loss",)),
        Node("value", "value head", ("value_head",), into=("loss",)),
        Node("loss", "clipped surrogate, value error and entropy"),
    )
