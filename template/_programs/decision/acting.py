"""The trained model as an agent, which is told the return that is wanted and what came so far."""

import torch
from torch import Tensor, nn

from .arena import Step
from .config import Config
from .data import known_returns


class Striver:
    """Aims for one return in `count` episodes that begin together."""

    def __init__(self, config: Config, model: nn.Module, count: int, aim: float, scale: float):
        self.config, self.model, self.scale = config, model, scale
        self.device = next(model.parameters()).device
        self.wanted = torch.full((count,), aim)  # what is still to come
        self.states: list[Tensor] = []
        self.actions: list[Tensor] = []
        self.returns: list[Tensor] = []

    @torch.no_grad()
    def act(self, observations: Tensor) -> Tensor:
        """Actions for the newest observations, after the last few steps."""
        config, reach = self.config, self.config.context_steps
        self.states.append(observations)
        self.returns.append(self.wanted / self.scale)
        if config.actions == "continuous":
            unknown = torch.zeros(len(observations), config.action_dim)
        else:
            unknown = torch.zeros(len(observations), config.num_actions)
        taken = [*self.actions[-(reach - 1) :], unknown] if reach > 1 else [unknown]
        seen = [torch.stack(x[-reach:], dim=1) for x in (self.states, taken, self.returns)]
        clock = len(self.states)
        times = torch.arange(max(0, clock - reach), clock).clamp(max=config.max_episode - 1)
        inputs = [*seen, times.expand(len(observations), -1)]
        answers = self.model(*(tensor.to(self.device) for tensor in inputs))[1][:, -1].float().cpu()
        if config.actions == "continuous":
            self.actions.append(answers)
            return answers
        else:
            actions = answers.argmax(dim=-1)
            self.actions.append(nn.functional.one_hot(actions, config.num_actions).float())
            return actions

    def notice(self, step: Step) -> None:
        self.wanted = self.wanted - step.rewards


def build_actor(config: Config, model: nn.Module, count: int) -> Striver:
    """Who acts in `count` environments: `target_share` of the way from the mean to the best."""
    known = known_returns(config)
    aim = known.mean + config.target_share * (known.best - known.mean)
    return Striver(config, model, count, aim, known.scale)
