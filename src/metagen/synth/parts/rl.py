"""Policies and values of agents: encoders of observations, actor and critic, values of actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate, stack
from ..trace import given
from .attention import Attention, Span
from .base import Embedding, Flops, Linear, Numbered, Part, Repeat
from .convolution import Conv2d
from .mlp import MLP
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class StateEncoder(Part):
    """Fully connected layers over a vector of numbers."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.sample, self.dtype = (dims["state_dim"],), "fp32"
        self.activation = dims["activation"]
        widths = [dims["state_dim"]] + [dims["hidden_size"]] * dims["n_layers"]
        self.blocks = Numbered(*(Linear(wide, out, True) for wide, out in pairwise(widths)))

    def forward(self, states: Array) -> Array:
        """(B, S) -> (B, H)."""
        trace, x = states.trace, states.to(states.trace.weights)
        for layer in self.blocks.children.values():
            x = trace.checkpointed(layer, x).apply(self.activation)
        return x


class ImageEncoder(Part):
    """Convolutions and a fully connected layer over the last frames (Mnih et al., 2015)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        channels = [dims["frames"] * dims["channels"], *dims["conv_channels"]]
        size = (dims["image_size"],) * 2
        self.sample, self.dtype = (channels[0], *size), "bool"  # a byte, too
        convolutions = []
        for (wide, out), kernel, stride in zip(
            pairwise(channels), dims["conv_kernels"], dims["conv_strides"], strict=True
        ):
            convolutions.append(Conv2d(wide, out, kernel, size, stride=stride))
            size = convolutions[-1].out
        self.blocks = Numbered(*convolutions)
        self.sizes = [convolution.out for convolution in convolutions]
        self.dense = Linear(channels[-1] * size[0] * size[1], dims["hidden_size"], True)

    def forward(self, pixels: Array) -> Array:
        """(B, C, side, side) -> (B, H)."""
        trace = pixels.trace
        x = pixels.to(trace.weights) / 255.0
        for layer in self.blocks.children.values():
            x = trace.checkpointed(layer, x).apply("relu")
        return trace.checkpointed(self.dense, x.flatten(1)).apply("relu")


class ActorCritic(Part):
    """A policy and the value of an observation: two networks, or two heads over one encoder."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.actions = (dims["action_dim"],) if dims["actions"] == "continuous" else ()
        if self.actions:
            self.parameter("log_std", *self.actions)
        if dims["observation"] == "image":
            self.encoder = ImageEncoder(dims)
        else:
            self.actor = StateEncoder(dims)
            self.critic = StateEncoder(dims)
        self.policy_head = Linear(dims["hidden_size"], action_width(dims), True)
        self.value_head = Linear(dims["hidden_size"], 1, True)

    def forward(self, make: Callable[..., Array], batch: int) -> tuple[Array, Array]:
        """Policies (B, P) and values (B,) of `batch` observations, which `make` makes."""
        eye = self.children.get("encoder") or self.actor
        seen = make((batch, *eye.sample), eye.dtype)
        if "encoder" in self.children:
            shared = self.encoder(seen)
            policies, values = self.policy_head(shared), self.value_head(shared)
        else:
            policies = self.policy_head(self.actor(seen))
            values = self.value_head(self.critic(seen))
        if self.actions:
            spread = seen.trace.weight(self, "log_std").expand(*policies.shape)
            policies = concatenate((policies, spread))
        return policies.float(), values.float().squeeze(-1)

    def log_likelihood(self, policies: Array) -> Array:
        """Logarithms of the probabilities (or densities) of given actions, (B,)."""
        trace, batch = policies.trace, policies.shape[0]
        if not self.actions:
            return trace.compute((policies.softmax(),), (batch,))
        means, log_stds = policies.chunk(2)
        squares = ((means - trace.given(*means.shape)) / log_stds.apply("exp")).apply("pow")
        return -(squares / 2.0 + log_stds + 1.0).sum(-1)

    def entropy(self, policies: Array) -> Array:
        """Entropies of policies, (B, P) -> (B,)."""
        if self.actions:
            return (policies.chunk(2)[1] + 1.0).sum(-1)
        logs = policies.softmax()
        return -(logs.apply("exp") * logs).sum(-1)

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The clipped objective of PPO over `batch` observations."""
        policies, values = self(given(trace), batch)
        advantages = trace.given(batch)
        ratios = (self.log_likelihood(policies) - trace.given(batch)).apply("exp")
        kept = ratios * advantages, ratios.apply("clamp") * advantages
        for gains in kept:
            trace.keep(gains)
        values.squared_error(trace.given(batch))
        self.entropy(policies).mean()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Policies and values of `batch` observations, which are there first."""
        self(trace.new, batch)


class QNetwork(Part):
    """The values of the actions."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        image = dims["observation"] == "image"
        self.encoder = ImageEncoder(dims) if image else StateEncoder(dims)
        self.head = Linear(dims["hidden_size"], dims["num_actions"], True)

    def forward(self, make: Callable[..., Array], batch: int) -> Array:
        """Values of the actions, (B, A), of `batch` observations, which `make` makes."""
        seen = make((batch, *self.encoder.sample), self.encoder.dtype)
        return self.head(self.encoder(seen)).float()

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` observations."""
        values = self(given(trace), batch)
        chosen = trace.compute((values,), (batch,))
        chosen.squared_error(trace.given(batch))

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Values of the actions for `batch` observations, which are there first."""
        self(trace.new, batch)


class DecisionBlock(Part):
    """One pre-norm layer of GPT-2 (Radford et al., 2019)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, heads = dims["d_model"], dims["n_heads"]
        self.attn_norm = Norm(width, "layernorm", True)
        self.attn = Attention(width, heads, heads, dims["head_dim"], qkv_bias=True, out_bias=True)
        self.mlp_norm = Norm(width, "layernorm", True)
        self.mlp = MLP(width, dims["d_ff"], gated=False, bias=True, activation=dims["activation"])

    def forward(self, x: Array, span: Span) -> Array:
        """(B, L, D) -> the same."""
        x = x + self.attn(self.attn_norm(x), span)
        return x + self.mlp(self.mlp_norm(x))


class DecisionTransformer(Part):
    """Return, state and action of every step in turn (Chen et al., 2021, figure 1)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, actions = dims["d_model"], action_width(dims)
        self.continuous, self.widths = dims["actions"] == "continuous", (dims["state_dim"], actions)
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

    def forward(
        self, make: Callable[..., Array], batch: int, length: int
    ) -> tuple[Array, Array, Array]:
        """What follows on `length` steps, which `make` makes: (B, T, S), (B, T, A), (B, T)."""
        states = make((batch, length, self.widths[0]), "fp32")
        trace, shape = states.trace, (batch, length, self.widths[1])
        actions = make(shape, "fp32") if self.continuous else trace.new(shape, "fp32")
        returns, times = make((batch, length), "fp32"), make((batch, length), "int64")
        time = self.embed_timestep(times)
        steps = stack(
            [
                self.embed_return(returns.unsqueeze(-1).to(trace.weights)) + time,
                self.embed_state(states.to(trace.weights)) + time,
                self.embed_action(actions.to(trace.weights)) + time,
            ],
            2,
        )
        x = self.embed_norm(steps.flatten(1, 2))
        if "position_table" in self.tensors:
            x = x + trace.weight(self, "position_table").select(0)
        span = Span(trace, 3 * length)
        for block in self.blocks.each(trace):
            x = block(x, span)
        x = self.norm(x).unflatten(1, (-1, 3))
        answers = self.predict_action(x.select(2))
        if self.continuous:
            answers = answers.apply("tanh")
        after = x.select(2)
        return self.predict_state(after), answers, self.predict_return(after).squeeze(-1)

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` stretches of `length` steps."""
        known = trace.new((batch, length), "fp32")
        states, answers, returns = self(given(trace), batch, length)
        if self.continuous:
            errors = (answers.float() - trace.given(*answers.shape)).apply("pow").mean(-1)
        else:
            errors = answers.float().softmax().select(-1)
        pieces = [states.float().narrow(1, length - 1), returns.float().narrow(1, length - 1)]
        foresight = [(piece - trace.given(*piece.shape)).apply("pow") for piece in pieces]
        side = foresight[0].mean(-1) + foresight[1]
        follows = known.narrow(1, length - 1)
        (errors * known).sum(1) / known.sum(1)
        (side * follows).sum(1) / follows.sum(1)

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """What follows on `length` steps of `batch` stretches, which are there first."""
        self(trace.new, batch, length)


def action_width(dims: Mapping[str, Any]) -> int:
    """How many numbers say what to do: one for each action, or each dimension of one."""
    return dims["action_dim"] if dims["actions"] == "continuous" else dims["num_actions"]
