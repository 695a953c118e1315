"""Proximal policy optimisation (Schulman et al. 2017): act for a while, then learn from it.

The actions of one step are learned from `epochs` times, in `minibatches` parts, while the policy
stays near the one that acted. How much better an action was than expected is judged by generalised
advantage estimation (`returns.py`).
"""

import torch
from torch import Tensor, nn

from .arena import open_arena
from .config import Config
from .parallel import Workers
from .returns import advantages
from .updates import seeded, update

JUDGED = 1_024  # observations whose values are asked for at once


class Learner:
    """The agent in its environments."""

    def __init__(
        self,
        config: Config,
        model: nn.Module,
        loss_of: nn.Module,
        optimizer: torch.optim.Optimizer,
        workers: Workers,
    ):
        self.config, self.model, self.loss_of = config, model, loss_of
        self.optimizer, self.workers = optimizer, workers
        self.arena = open_arena(config, config.n_envs, "training")

    def iterate(self, step: int) -> tuple[float, float, list[float]]:
        """Act and learn; the mean loss, the last gradient's norm, returns of ended episodes."""
        config = self.config
        batch, finished = self.act(seeded(config, step, self.workers.device))
        shuffle = seeded(config, step, torch.device("cpu"))
        losses = []
        for _ in range(config.epochs):
            order = torch.randperm(len(batch["returns"]), generator=shuffle)
            for rows in order.tensor_split(config.minibatches):
                part = {name: tensor[rows] for name, tensor in batch.items()}
                gains = part["advantages"]
                part["advantages"] = (gains - gains.mean()) / (gains.std(correction=0) + 1e-8)
                try:
                    loss, norm = update(self.loss_of, self.optimizer, part, config, self.workers)
                except FloatingPointError as error:
                    raise FloatingPointError(f"step {step}: {error}") from None
                losses.append(loss)
        return sum(losses) / len(losses), norm, finished

    @torch.no_grad()
    def act(self, generator: torch.Generator) -> tuple[dict[str, Tensor], list[float]]:
        """Act for T steps in all N environments: a batch of T·N rows, and returns of episodes."""
        model, arena, device = self.model, self.arena, self.workers.device
        taken: dict[str, list[Tensor]] = {}
        finished: list[float] = []
        for _ in range(max(1, self.config.global_batch // arena.count)):
            seen = arena.observe()
            with self.workers.autocast():
                policies, values = model(seen.to(device))
            actions = model.draw(policies, generator)
            outcome = arena.step(actions)
            row = {
                "observations": seen,
                "actions": actions.cpu(),
                "log_likelihoods": model.log_likelihood(policies, actions).cpu(),
                "values": values.cpu(),
                "after": outcome.after,
                "rewards": outcome.rewards * self.config.reward_scale,
                "terminated": outcome.terminated,
                "ended": outcome.ended,
            }
            for name, tensor in row.items():
                taken.setdefault(name, []).append(tensor)
            finished += outcome.finished
        run = {name: torch.stack(tensors) for name, tensors in taken.items()}  # (T, N, ...)
        gains = advantages(
            run["rewards"], run["values"], self.values_after(run), run["terminated"], run["ended"],
            self.config.discount, self.config.gae_lambda,
        )  # fmt: skip
        learned = {name: run[name] for name in ("observations", "actions", "log_likelihoods")}
        learned |= {"advantages": gains, "returns": gains + run["values"]}
        return {name: tensor.flatten(0, 1) for name, tensor in learned.items()}, finished

    def values_after(self, run: dict[str, Tensor]) -> Tensor:
        """Values of what followed each step, (T, N), before any new episode began."""
        values = run["values"].roll(-1, dims=0)  # where an episode goes on, those of the next step
        asked = run["ended"].clone()
        asked[-1] = True
        found = []
        for seen in run["after"][asked].split(JUDGED):
            with self.workers.autocast():
                found.append(self.model(seen.to(self.workers.device))[1].cpu())
        values[asked] = torch.cat(found)
        return values

    def state(self) -> dict[str, dict[str, Tensor]]:
        """What a resumed run needs besides model and optimizer."""
        return {"arena": self.arena.state()}

    def restore(self, state: dict[str, dict[str, Tensor]]) -> None:
        """Go on from a saved state."""
        self.arena.restore(state["arena"])


def random_lessons(config: Config, count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """What `act` makes of observations, at random: for shapes and speed."""
    if config.actions == "continuous":
        actions = torch.randn(count, config.action_dim, generator=generator)
        likely = -config.action_dim * 1.4
    else:
        actions = torch.randint(config.num_actions, (count,), generator=generator)
        likely = -torch.tensor(float(config.num_actions)).log()
    return {
        "actions": actions,
        "log_likelihoods": torch.randn(count, generator=generator) * 0.1 + likely,
        "advantages": torch.randn(count, generator=generator),
        "returns": torch.randn(count, generator=generator),
    }
