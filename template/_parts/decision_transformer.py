"""A decision transformer (Chen et al. 2021): the action that past and wanted return call for.

Shapes are written in letters:

    B  stretches of episodes         D  features of the residual stream
    T  steps of a stretch            F  hidden features of the MLP
    L  positions: 3 for each step    N  attention heads
    S  numbers of a state            K  features of a head
    A  actions, or dimensions of one
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .mlp import MLP
from .residual_init import fill_weight


class CausalAttention(nn.Module):
    """Self-attention in which every position sees those before it."""

    def __init__(self, config: Config):
        super().__init__()
        self.n_heads = config.n_heads
        width = config.n_heads * config.head_dim
        self.q_proj = nn.Linear(config.d_model, width)
        self.k_proj = nn.Linear(config.d_model, width)
        self.v_proj = nn.Linear(config.d_model, width)
        self.o_proj = nn.Linear(width, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            project(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, N, L, K)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, N, L, K) -> (B, L, D)


class DecisionBlock(nn.Module):
    """Attention and MLP, each normalised first and added to the residual stream."""

    def __init__(self, config: Config):
        super().__init__()
        self.attn_norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.attn = CausalAttention(config)
        self.mlp_norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.attn_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class DecisionTransformer(nn.Module):
    """Wanted return, state and action of every step in turn; each state answers with an action."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim = config.d_model
        if config.actions == "continuous":
            actions = config.action_dim
        else:
            actions = config.num_actions
        if config.spare_tables:
            # What the published checkpoint keeps of a language model: a token that is never read,
            # and a table of positions of which every position reads the first row.
            self.token_table = nn.Parameter(torch.empty(1, dim), requires_grad=False)
            self.position_table = nn.Parameter(torch.empty(config.n_positions, dim))
        self.blocks = nn.ModuleList(DecisionBlock(config) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(dim, config.norm_eps)
        self.embed_timestep = nn.Embedding(config.max_episode, dim)
        self.embed_return = nn.Linear(1, dim)
        self.embed_state = nn.Linear(config.state_dim, dim)
        self.embed_action = nn.Linear(actions, dim)
        self.embed_norm = nn.LayerNorm(dim)
        self.predict_state = nn.Linear(dim, config.state_dim)
        self.predict_action = nn.Linear(dim, actions)
        self.predict_return = nn.Linear(dim, 1)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`."""
        fill_weight(name, weight, self.config, generator)

    def forward(
        self, states: Tensor, actions: Tensor, returns: Tensor, times: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What follows on every step: next states, actions, and next returns.

        States are (B, T, S), actions (B, T, A), returns to go (B, T), times (B, T); the answers are
        (B, T, S), (B, T, A), (B, T). An action is predicted before it is seen.
        """
        like = self.embed_state.weight
        time = self.embed_timestep(times)  # (B, T) -> (B, T, D)
        steps = torch.stack(
            (
                self.embed_return(returns.unsqueeze(-1).to(like.dtype)) + time,
                self.embed_state(states.to(like.dtype)) + time,
                self.embed_action(actions.to(like.dtype)) + time,
            ),
            dim=2,
        )  # (B, T, 3, D)
        x = self.embed_norm(steps.flatten(1, 2))  # (B, T, 3, D) -> (B, L, D)
        if self.config.spare_tables:
            x = x + self.position_table[0]
        for block in self.blocks:
            x = block(x)
        x = self.norm(x).unflatten(1, (-1, 3))  # (B, L, D) -> (B, T, 3, D)
        answers = self.predict_action(x[:, :, 1])  # (B, T, A), from the states
        if self.config.actions == "continuous":
            answers = torch.tanh(answers)
        after = x[:, :, 2]  # (B, T, D), from the actions
        return self.predict_state(after), answers, self.predict_return(after).squeeze(-1)

    def encode(self, actions: Tensor) -> Tensor:
        """Actions as the model reads them, (B, T) or (B, T, A) -> (B, T, A)."""
        if self.config.actions == "continuous":
            return actions
        else:
            return F.one_hot(actions, self.config.num_actions).float()

    def action_errors(self, answers: Tensor, actions: Tensor) -> Tensor:
        """How far answers, (B, T, A), are from the actions that were taken, (B, T)."""
        if self.config.actions == "continuous":
            return ((answers.float() - actions) ** 2).mean(dim=-1)
        else:
            return F.cross_entropy(answers.float().transpose(1, 2), actions, reduction="none")

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean error of the actions that were taken, and a little of what came of them.

        `batch` has "states", (B, T, S), "actions", (B, T) or (B, T, A), "returns", "times", (B, T),
        and "known", (B, T): whether a step belongs to the episode. States and returns that
        follow count `auxiliary_weight`.
        """
        states, returns, known = batch["states"], batch["returns"], batch["known"].float()
        next_states, answers, next_returns = self(
            states, self.encode(batch["actions"]), returns, batch["times"]
        )
        errors = self.action_errors(answers, batch["actions"])  # (B, T)
        follows = known[:, 1:]  # (B, T - 1): the next step is part of the episode
        foresight = ((next_states.float()[:, :-1] - states[:, 1:]) ** 2).mean(dim=-1)
        foresight = foresight + (next_returns.float()[:, :-1] - returns[:, 1:]) ** 2  # (B, T - 1)
        total = (errors * known).sum(dim=1) / known.sum(dim=1)  # (B,)
        side = (foresight * follows).sum(dim=1) / follows.sum(dim=1).clamp(min=1)  # (B,)
        return (total + self.config.auxiliary_weight * side).mean()


def build_model(config: Config) -> DecisionTransformer:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = DecisionTransformer(config)
    if not model.norm.weight.is_meta:
        model.init_weights(torch.Generator(model.norm.weight.device).manual_seed(config.seed))
    return model
