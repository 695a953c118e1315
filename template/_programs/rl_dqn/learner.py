"""Deep Q-learning (Mnih et al. 2015): act mostly as the values say, and learn from memory.

A step of training acts `global_batch` times, at random with a probability that falls, then learns
`epochs` times as many remembered transitions. What a transition is worth is judged by an older copy
of the network, which is renewed every `target_interval` steps.
"""

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    set_model_state_dict,
)

from .arena import open_arena
from .config import Config
from .parallel import Workers, build_parallel
from .replay import Replay
from .updates import seeded, update


class Learner:
    """The agent in its environments, with its memory."""

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
        self.replay = Replay(config.replay_size)
        self.older = build_parallel(config, workers)[0]
        self.renew()

    def renew(self) -> None:
        """Make the older copy like the network."""
        self.older.load_state_dict(self.model.state_dict())

    def iterate(self, step: int) -> tuple[float, float, list[float]]:
        """Act and learn; the mean loss, the last gradient's norm, returns of ended episodes."""
        config = self.config
        if step % config.target_interval == 0:
            self.renew()
        generator = seeded(config, step, torch.device("cpu"))
        rounds = config.global_batch // config.n_envs
        if not len(self.replay):  # the first step fills the memory a little, at random
            rounds += -(-config.learning_starts // config.n_envs)
        finished = self.act(rounds, chance(step, config), generator)
        losses = []
        for _ in range(max(1, config.global_batch * config.epochs // config.replay_batch)):
            batch = self.judged(self.replay.draw(config.replay_batch, generator))
            try:
                loss, norm = update(self.loss_of, self.optimizer, batch, config, self.workers)
            except FloatingPointError as error:
                raise FloatingPointError(f"step {step}: {error}") from None
            losses.append(loss)
        return sum(losses) / len(losses), norm, finished

    @torch.no_grad()
    def act(self, rounds: int, chance: float, generator: torch.Generator) -> list[float]:
        """Act `rounds` times in all environments and remember it; returns of ended episodes."""
        arena, finished = self.arena, []
        for _ in range(rounds):
            seen = arena.observe()
            with self.workers.autocast():
                best = self.model(seen.to(self.workers.device)).argmax(dim=-1).cpu()
            any_action = torch.randint(self.config.num_actions, best.shape, generator=generator)
            bold = torch.rand(best.shape, generator=generator) < chance
            actions = torch.where(bold, any_action, best)
            outcome = arena.step(actions)
            self.replay.add(
                {
                    "observations": seen,
                    "actions": actions,
                    "rewards": outcome.rewards * self.config.reward_scale,
                    "after": outcome.after,
                    "terminated": outcome.terminated,
                }
            )
            finished += outcome.finished
        return finished

    @torch.no_grad()
    def judged(self, memories: dict[str, Tensor]) -> dict[str, Tensor]:
        """A batch for `loss`: what was done, and what it should be worth.

        After an end nothing is to come; after a time limit the next value counts all the same.
        """
        after = memories["after"].to(self.workers.device)
        with self.workers.autocast():
            values = self.older(after)  # (B, A)
            if self.config.double_q:
                # the network chooses, the older copy judges (van Hasselt et al. 2016)
                chosen = self.model(after).argmax(dim=-1, keepdim=True)  # (B, 1)
                best = values.gather(-1, chosen).squeeze(-1)
            else:
                best = values.max(dim=-1).values
        to_come = torch.where(memories["terminated"], 0.0, best.cpu())
        targets = memories["rewards"] + self.config.discount * to_come
        return {
            "observations": memories["observations"],
            "actions": memories["actions"],
            "targets": targets,
        }

    def state(self) -> dict[str, dict[str, Tensor]]:
        """What a resumed run needs besides model and optimizer."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        return {
            "arena": self.arena.state(),
            "replay": self.replay.state(),
            "older": get_model_state_dict(self.older, options=options),
        }

    def restore(self, state: dict[str, dict[str, Tensor]]) -> None:
        """Go on from a saved state."""
        self.arena.restore(state["arena"])
        self.replay.restore(state["replay"])
        options = StateDictOptions(full_state_dict=True)
        set_model_state_dict(self.older, state["older"], options=options)


def chance(step: int, config: Config) -> float:
    """The probability of acting at random: falls from 1 in a line, then stays."""
    progress = step / max(1, config.exploration * config.steps)
    return 1 + min(1.0, progress) * (config.final_chance - 1)


def random_lessons(config: Config, count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """What `judged` makes of observations, at random: for shapes and speed."""
    return {
        "actions": torch.randint(config.num_actions, (count,), generator=generator),
        "targets": torch.randn(count, generator=generator),
    }
