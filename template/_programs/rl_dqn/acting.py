"""The trained values without chance."""

import torch
from torch import Tensor, nn

from .arena import Step
from .config import Config


class Greedy:
    """Takes the action that is worth most."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.device = next(model.parameters()).device

    @torch.no_grad()
    def act(self, observations: Tensor) -> Tensor:
        return self.model(observations.to(self.device)).argmax(dim=-1)

    def notice(self, step: Step) -> None:
        pass


def build_actor(config: Config, model: nn.Module, count: int) -> Greedy:
    """Who acts in `count` environments."""
    return Greedy(model)
