"""Let a trained agent play held-out episodes, beside acting at random.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json` and `results/returns.csv`, the return of every episode. The agent takes the
action that it thinks best; a return is the sum of an episode's rewards.
"""

import csv
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .acting import build_actor
from .arena import open_arena
from .checkpoint import load_model
from .config import Config
from .parallel import Workers, join_workers, leave_workers
from .playing import RandomActor, play
from .results import RESULTS, Table
from .runs import evaluate_run, run_parser

EPISODES = 100  # that an evaluation plays


@dataclass(frozen=True)
class Score:
    """Returns of some episodes, (episodes,)."""

    returns: Tensor

    @property
    def mean_return(self) -> float:
        """Mean over the episodes."""
        return self.returns.mean().item()

    @property
    def deviation(self) -> float:
        """Standard deviation between episodes."""
        return self.returns.std(correction=0).item()

    @property
    def loss(self) -> float:
        """What falls when the agent gets better: the mean return, negated."""
        return -self.mean_return


@torch.no_grad()
def score(model: nn.Module, config: Config, workers: Workers, limit: int = EPISODES) -> Score:
    """An agent's score in `limit` held-out episodes, in every process the same."""
    training = model.training
    model.eval()
    with workers.autocast():
        returns = play(open_arena(config, limit, "held out"), build_actor(config, model, limit))
    model.train(training)
    return Score(returns)


def random_score(config: Config, limit: int = EPISODES) -> Score:
    """The same for acting at random in the same episodes."""
    return Score(play(open_arena(config, limit, "held out"), RandomActor(config)))


def evaluate(run_dir: str, device: str = "auto", episodes: int = EPISODES) -> Table:
    """Score the newest checkpoint of a run."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    scores = {
        "this agent": score(model, config, workers, episodes),
        "random actions": random_score(config, episodes),
    }
    leave_workers(workers)
    save_returns(scores)
    agent, trivial = scores.values()
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {episodes:,} episodes of "
        f"{config.env if config.env else 'the built-in environment'}",
        columns=("policy", "mean return", "standard deviation", "worst", "best"),
        rows=tuple(
            (n, s.mean_return, s.deviation, s.returns.min().item(), s.returns.max().item())
            for n, s in scores.items()
        ),
        figures={
            "steps": steps,
            "episodes": episodes,
            "loss": agent.loss,
            "mean_return": agent.mean_return,
            "trivial_loss": trivial.loss,
            "trivial_mean_return": trivial.mean_return,
        },
    )


def save_returns(scores: dict[str, Score]) -> None:
    """Write the return of every episode, a column for each policy, to `results/returns.csv`."""
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / "returns.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["episode", *scores])
        columns = (result.returns.tolist() for result in scores.values())
        rows.writerows((i, *cells) for i, cells in enumerate(zip(*columns, strict=True)))


def main() -> None:
    """Read the flags, evaluate, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--episodes", type=int, default=EPISODES, help="episodes to play")
    evaluate_run(evaluate, parser)


if __name__ == "__main__":
    main()
