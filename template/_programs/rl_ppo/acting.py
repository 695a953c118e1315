"""The trained policy without chance."""

import torch
from torch import Tensor, nn

from .arena import Step
from .config import Config


class Policy:
    """Takes the likeliest action, or the mean."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.device = next(model.parameters()).device

    @torch.no_grad()
    def act(self, observations: Tensor) -> Tensor:
        policies, _ = self.model(observations.to(self.device))
        return self.model.draw(policies)

    def notice(self, step: Step) -> None:
        pass


def build_actor(config: Config, model: nn.Module, count: int) -> Policy:
    """Who acts in `count` environments."""
    return Policy(model)
