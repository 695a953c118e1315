"""Evaluate a trained model on held-out queries, beside a random order.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. nDCG@10 discounts gains of 2^grade - 1 by the logarithm of the rank (Burges et
al. 2005); MAP is the mean over the queries of the average precision, where every grade above 0 is
relevant; loss is that of training, in nats per query.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser

CUT = 10
SHUFFLES = 20


@dataclass(frozen=True)
class Score:
    """Scores of the passages and their grades, (Q, N) each."""

    scores: Tensor
    grades: Tensor

    @property
    def loss(self) -> float:
        """Nats per query."""
        shares = self.gains / self.gains.sum(-1, keepdim=True).clamp(min=1e-9)
        return F.cross_entropy(self.scores, shares).item()

    @property
    def gains(self) -> Tensor:
        """What each passage is worth."""
        return 2.0**self.grades - 1

    @property
    def ndcg(self) -> float:
        """Normalised discounted cumulative gain of the first ten; of queries with an answer."""
        order = self.scores.argsort(dim=-1, descending=True, stable=True)
        found = discounted(self.gains.gather(-1, order))
        best = discounted(self.gains.sort(dim=-1, descending=True).values)
        return (found / best)[best > 0].mean().item()

    @property
    def average_precision(self) -> float:
        """Mean average precision of queries with an answer."""
        order = self.scores.argsort(dim=-1, descending=True, stable=True)
        relevant = (self.grades > 0).float().gather(-1, order)  # (Q, N), best score first
        ranks = torch.arange(1, relevant.size(1) + 1)
        precision = relevant.cumsum(-1) / ranks
        answers = relevant.sum(-1)
        return ((precision * relevant).sum(-1) / answers)[answers > 0].mean().item()


def discounted(gains: Tensor) -> Tensor:
    """Gains in order of rank, (Q, N) -> (Q,)."""
    first = gains[:, :CUT]
    return (first / torch.log2(torch.arange(first.size(1)) + 2.0)).sum(-1)


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out queries, in every process the same."""
    scores, grades = [], []
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        batch = workers.move(batch)
        with workers.autocast():
            found = model(batch["tokens"], batch["seen"], batch["types"])  # (B * N,)
        scores.append(found.float().view_as(batch["grades"]).cpu())
        grades.append(batch["grades"].cpu())
    return Score(torch.cat(scores), torch.cat(grades))


def chance(grades: Tensor) -> tuple[float, float]:
    """nDCG@10 and MAP of random orders, averaged over a few seeded ones."""
    draws = [torch.rand(grades.shape, generator=seeded(seed)) for seed in range(SHUFFLES)]
    scores = [Score(drawn, grades) for drawn in draws]
    total = [(score.ndcg, score.average_precision) for score in scores]
    return sum(t[0] for t in total) / SHUFFLES, sum(t[1] for t in total) / SHUFFLES


def seeded(seed: int) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out queries."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    found = score(model, Corpus(config), workers)
    leave_workers(workers)
    guessed = chance(found.grades)
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {len(found.grades):,} queries",
        columns=("predictor", f"nDCG@{CUT}", "MAP"),
        rows=(("this model", found.ndcg, found.average_precision), ("random order", *guessed)),
        figures={
            "steps": steps,
            "queries": len(found.grades),
            "loss": found.loss,
            "ndcg": found.ndcg,
            "map": found.average_precision,
            "random_ndcg": guessed[0],
            "random_map": guessed[1],
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
