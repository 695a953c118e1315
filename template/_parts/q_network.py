"""The values of actions: how much reward is to come after each of them.

Shapes are written in letters:

    B  observations in the batch     H  hidden features
    S  numbers of a state            A  actions
    C  channels of all frames        Y, X  rows and columns of a picture
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .observation_encoder import ImageEncoder, StateEncoder, fan_in_std


class QNetwork(nn.Module):
    """Discounted sums of future rewards, one for every action that could be taken now."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        if config.observation == "image":
            self.encoder = ImageEncoder(config)
        else:
            self.encoder = StateEncoder(config)
        self.head = nn.Linear(config.hidden_size, config.num_actions)

    @property
    def blocks(self) -> list[nn.Module]:
        """The layers that checkpointing and sharding wrap."""
        if self.config.observation == "image":
            return [*self.encoder.blocks, self.encoder.dense]
        else:
            return list(self.encoder.blocks)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; with a small head all actions start out alike."""
        if name.endswith("bias"):
            nn.init.zeros_(weight)
        elif name == "head.weight":
            std = fan_in_std(weight, self.config.init_std)
            nn.init.normal_(weight, std=std, generator=generator)
        else:
            nn.init.normal_(weight, std=fan_in_std(weight, math.sqrt(2)), generator=generator)

    def forward(self, observations: Tensor) -> Tensor:
        """Values of the actions, (B, S) or (B, C, Y, X) -> (B, A)."""
        return self.head(self.encoder(observations)).float()

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Huber's distance of the values of what was done to their targets (Mnih et al. 2015).

        `batch` has "observations", "actions", (B,), and "targets", (B,).
        """
        values = self(batch["observations"])  # (B, A)
        chosen = values.gather(-1, batch["actions"].unsqueeze(-1)).squeeze(-1)  # (B,)
        return F.smooth_l1_loss(chosen, batch["targets"])


def build_model(config: Config) -> QNetwork:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = QNetwork(config)
    if not model.head.weight.is_meta:
        model.init_weights(torch.Generator(model.head.weight.device).manual_seed(config.seed))
    return model
