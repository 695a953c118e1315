"""Let a trained agent play, and compare its answers with the actions of held-out episodes.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. A return is the sum of an episode's rewards; the action loss is that of the
actions in held-out episodes. The mean return of the data is what mere imitation would give.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .acting import build_actor
from .arena import Step, open_arena
from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .playing import RandomActor, play
from .results import Table
from .runs import evaluate_run, run_parser

EPISODES = 50  # that an evaluation plays


@dataclass(frozen=True)
class Score:
    """The loss of held-out actions: squared error, or nats."""

    loss: float


class Constant:
    """The commonest action of the data, or their mean, whatever happens."""

    def __init__(self, config: Config, corpus: Corpus):
        self.config = config
        actions = torch.cat([e.actions for e in corpus.train])
        if config.actions == "continuous":
            self.action = actions.mean(dim=0)  # (A,)
        else:
            self.shares = torch.bincount(actions, minlength=config.num_actions) + 1.0  # (A,)
            self.action = self.shares.argmax()

    def act(self, observations: Tensor) -> Tensor:
        return self.action.expand(len(observations), *self.action.shape)

    def notice(self, step: Step) -> None:
        pass

    def answers(self, batch: dict[str, Tensor]) -> Tensor:
        """What it answers to a batch, as the model would, (B, T, A)."""
        shape = (*batch["returns"].shape, -1)
        if self.config.actions == "continuous":
            return self.action.expand(shape)
        else:
            return (self.shares / self.shares.sum()).log().expand(shape)


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out stretches, in every process the same."""
    training = model.training
    model.eval()
    errors = []
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        batch = workers.move(batch)
        with workers.autocast():
            actions = model.encode(batch["actions"])
            answers = model(batch["states"], actions, batch["returns"], batch["times"])[1]
        errors.append(model.action_errors(answers, batch["actions"])[batch["known"]].cpu())
    model.train(training)
    return Score(torch.cat(errors).mean().item())


def constant_score(model: nn.Module, constant: Constant, corpus: Corpus) -> Score:
    """The same for a constant answer."""
    errors = [
        model.action_errors(constant.answers(batch), batch["actions"])[batch["known"]]
        for batch in corpus.val_batches(64)
    ]
    return Score(torch.cat(errors).mean().item())


def evaluate(run_dir: str, device: str = "auto", episodes: int = EPISODES) -> Table:
    """Score the newest checkpoint of a run."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    constant = Constant(config, corpus)
    losses = score(model, corpus, workers).loss, constant_score(model, constant, corpus).loss
    players = {
        "this model": build_actor(config, model, episodes),
        "constant action": constant,
        "random actions": RandomActor(config),
    }
    means = {
        name: play(open_arena(config, episodes, "held out"), player).mean().item()
        for name, player in players.items()
    }
    leave_workers(workers)
    data_mean = corpus.returns.mean
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {episodes:,} episodes of "
        f"{config.env if config.env else 'the built-in environment'}",
        columns=("policy", "mean return", "action loss"),
        rows=(
            ("this model", means["this model"], losses[0]),
            ("constant action", means["constant action"], losses[1]),
            ("random actions", means["random actions"], None),
            ("mean of the data", data_mean, None),
            ("best of the data", corpus.returns.best, None),
        ),
        figures={
            "steps": steps,
            "episodes": episodes,
            "loss": losses[0],
            "mean_return": means["this model"],
            "trivial_loss": losses[1],
            "trivial_mean_return": max(means["constant action"], means["random actions"]),
            "data_mean_return": data_mean,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--episodes", type=int, default=EPISODES, help="episodes to play")
    evaluate_run(evaluate, parser)


if __name__ == "__main__":
    main()
