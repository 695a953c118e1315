"""An actor, which says what to do, and a critic, which says how well things stand.

Shapes are written in letters:

    B  observations in the batch     H  hidden features
    S  numbers of a state            A  actions, or dimensions of one
    C  channels of all frames        P  parameters of a policy: A, or 2A of a Gaussian
    Y  rows of a picture             X  columns of a picture
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .observation_encoder import ImageEncoder, StateEncoder, fan_in_std


class ActorCritic(nn.Module):
    """A stochastic policy and the value of an observation under it."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        if config.actions == "continuous":
            self.log_std = nn.Parameter(torch.empty(config.action_dim))
        if config.observation == "image":
            self.encoder = ImageEncoder(config)
        else:
            self.actor = StateEncoder(config)
            self.critic = StateEncoder(config)
        if config.actions == "continuous":
            self.policy_head = nn.Linear(config.hidden_size, config.action_dim)
        else:
            self.policy_head = nn.Linear(config.hidden_size, config.num_actions)
        self.value_head = nn.Linear(config.hidden_size, 1)

    @property
    def blocks(self) -> list[nn.Module]:
        """The layers that checkpointing and sharding wrap."""
        if self.config.observation == "image":
            return [*self.encoder.blocks, self.encoder.dense]
        else:
            return [*self.actor.blocks, *self.critic.blocks]

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; a policy starts out undecided, with a small head."""
        if name.endswith("bias") or name == "log_std":
            nn.init.zeros_(weight)
        elif name == "policy_head.weight":
            std = fan_in_std(weight, self.config.init_std)
            nn.init.normal_(weight, std=std, generator=generator)
        elif name == "value_head.weight":
            nn.init.normal_(weight, std=fan_in_std(weight, 1.0), generator=generator)
        else:
            nn.init.normal_(weight, std=fan_in_std(weight, math.sqrt(2)), generator=generator)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Policies and values of observations, (B, S) or (B, C, Y, X) -> (B, P), (B,).

        A policy is the scores of the actions, or means and then logarithms of deviations.
        """
        if self.config.observation == "image":
            shared = self.encoder(observations)  # (B, C, Y, X) -> (B, H)
            policies, values = self.policy_head(shared), self.value_head(shared)
        else:
            policies = self.policy_head(self.actor(observations))  # (B, S) -> (B, A)
            values = self.value_head(self.critic(observations))  # (B, S) -> (B, 1)
        if self.config.actions == "continuous":
            policies = torch.cat((policies, self.log_std.expand_as(policies)), dim=-1)  # (B, 2A)
        return policies.float(), values.float().squeeze(-1)

    def draw(self, policies: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One action for each policy, (B, P) -> (B,) or (B, A); the likeliest without generator."""
        if self.config.actions == "continuous":
            means, log_stds = policies.chunk(2, dim=-1)  # (B, A), (B, A)
            if generator is None:
                return means
            noise = torch.randn(means.shape, generator=generator, device=means.device)
            return means + log_stds.exp() * noise
        else:
            if generator is None:
                return policies.argmax(dim=-1)
            return torch.multinomial(policies.softmax(dim=-1), 1, generator=generator).squeeze(-1)

    def log_likelihood(self, policies: Tensor, actions: Tensor) -> Tensor:
        """Logarithms of the probabilities (or densities) of actions, (B,)."""
        if self.config.actions == "continuous":
            means, log_stds = policies.chunk(2, dim=-1)  # (B, A), (B, A)
            squares = ((actions - means) / log_stds.exp()) ** 2
            return -(squares / 2 + log_stds + math.log(2 * math.pi) / 2).sum(dim=-1)
        else:
            chosen = actions.unsqueeze(-1)  # (B, 1)
            return policies.log_softmax(dim=-1).gather(-1, chosen).squeeze(-1)

    def entropy(self, policies: Tensor) -> Tensor:
        """Entropies of policies in nats, (B, P) -> (B,)."""
        if self.config.actions == "continuous":
            log_stds = policies.chunk(2, dim=-1)[1]  # (B, A)
            return (log_stds + (1 + math.log(2 * math.pi)) / 2).sum(dim=-1)
        else:
            logs = policies.log_softmax(dim=-1)  # (B, A)
            return -(logs.exp() * logs).sum(dim=-1)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The clipped objective of PPO, negated (Schulman et al. 2017, eq. 7 and 9).

        `batch` has "observations", "actions", and of each, (B,): "log_likelihoods" under the policy
        that acted, "advantages", and "returns" that the values should predict.
        """
        policies, values = self(batch["observations"])
        ratios = (self.log_likelihood(policies, batch["actions"]) - batch["log_likelihoods"]).exp()
        reach = self.config.clip_range
        advantages = batch["advantages"]
        gains = torch.minimum(ratios * advantages, ratios.clamp(1 - reach, 1 + reach) * advantages)
        surprise = F.mse_loss(values, batch["returns"])
        spread = self.entropy(policies).mean()
        weights = self.config.value_weight, self.config.entropy_weight
        return -gains.mean() + weights[0] * surprise - weights[1] * spread


def build_model(config: Config) -> ActorCritic:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = ActorCritic(config)
    if not model.value_head.weight.is_meta:
        model.init_weights(torch.Generator(model.value_head.weight.device).manual_seed(config.seed))
    return model
