"""Policies and values of agents: encoders of observations, actor and critic, values of actions."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from .attention import Attention
from .base import Embedding, Flops, Linear, Part, Repeat
from .convolution import Conv2d
from .mlp import MLP
from .norms import Norm


class Layers(Part):
    """Modules in a row under their numbers, as `nn.ModuleList` holds them."""

    def __init__(self, *parts: Part) -> None:
        super().__init__()
        for index, part in enumerate(parts):
            setattr(self, str(index), part)


class StateEncoder(Part):
    """Fully connected layers over a vector of numbers."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        widths = [dims["state_dim"]] + [dims["hidden_size"]] * dims["n_layers"]
        self.blocks = Layers(*(Linear(wide, out, True) for wide, out in pairwise(widths)))


class ImageEncoder(Part):
    """Convolutions and a fully connected layer over the last frames (Mnih et al., 2015)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        channels = [dims["frames"] * dims["channels"], *dims["conv_channels"]]
        size = (dims["image_size"],) * 2
        convolutions = []
        for (wide, out), kernel, stride in zip(
            pairwise(channels), dims["conv_kernels"], dims["conv_strides"], strict=True
        ):
            convolutions.append(Conv2d(wide, out, kernel, size, stride=stride))
            size = convolutions[-1].out
        self.blocks = Layers(*convolutions)
        self.sizes = [convolution.out for convolution in convolutions]
        self.dense = Linear(channels[-1] * size[0] * size[1], dims["hidden_size"], True)


class ActorCritic(Part):
    """A policy and the value of an observation: two networks, or two heads over one encoder."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        if dims["actions"] == "continuous":
            self.parameter("log_std", dims["action_dim"])
        if dims["observation"] == "image":
            self.encoder = ImageEncoder(dims)
        else:
            self.actor = StateEncoder(dims)
            self.critic = StateEncoder(dims)
        self.policy_head = Linear(dims["hidden_size"], action_width(dims), True)
        self.value_head = Linear(dims["hidden_size"], 1, True)


class QNetwork(Part):
    """The values of the actions."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        image = dims["observation"] == "image"
        self.encoder = ImageEncoder(dims) if image else StateEncoder(dims)
        self.head = Linear(dims["hidden_size"], dims["num_actions"], True)


class DecisionBlock(Part):
    """One pre-norm layer of GPT-2 (Radford et al., 2019)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, heads = dims["d_model"], dims["n_heads"]
        self.attn_norm = Norm(width, "layernorm", True)
        self.attn = Attention(width, heads, heads, dims["head_dim"], qkv_bias=True, out_bias=True)
        self.mlp_norm = Norm(width, "layernorm", True)
        self.mlp = MLP(width, dims["d_ff"], gated=False, bias=True)


class DecisionTransformer(Part):
    """Return, state and action of every step in turn (Chen et al., 2021, figure 1)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, actions = dims["d_model"], action_width(dims)
        if dims["spare_tables"]:
            self.parameter("token_table", 1, width, trainable=False)
            self.parameter("position_table", dims["n_positions"], width)
        self.blocks = Repeat(DecisionBlock(dims), dims["n_layers"])
        self.norm = Norm(width, "layernorm", True)
        self.embed_timestep = Embedding(dims["max_episode"], width)
        self.embed_return = Linear(1, width, True)
        self.embed_state = Linear(dims["state_dim"], width, True)
        self.embed_action = Linear(actions, width, True)
        self.embed_norm = Norm(width, "layernorm", True)
        self.predict_state = Linear(width, dims["state_dim"], True)
        self.predict_action = Linear(width, actions, True)
        self.predict_return = Linear(width, 1, True)

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of `length` steps: the blocks see three positions of each."""
        outside = (part for name, part in self.children.items() if name != "blocks")
        inside = self.blocks.flops(batch, 3 * length)
        return sum((part.flops(batch, length) for part in outside), inside)

    def state_elements(self, length: int) -> int:
        """None: the last steps are read afresh for every decision."""
        return 0


def action_width(dims: Mapping[str, Any]) -> int:
    """How many numbers say what to do: one for each action, or each dimension of one."""
    return dims["action_dim"] if dims["actions"] == "continuous" else dims["num_actions"]
