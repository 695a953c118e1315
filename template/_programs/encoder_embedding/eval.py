"""Evaluate a trained model on held-out pairs, beside guessing.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Every text looks for its partner among the held-out texts of the other side,
by cosine: recall@1 is the share that ranks it first, MRR the mean of one over its rank, both
averaged over the two directions. The loss is InfoNCE over all of these pairs, in nats.
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

MOST = 4096  # pairs that `eval` reads: a text is compared with every one


@dataclass(frozen=True)
class Score:
    """Cosines of the texts of one side, (N,), with those of the other, (N,): partners diagonal."""

    cosines: Tensor
    temperature: float

    @property
    def loss(self) -> float:
        """Nats per pair, averaged over the directions."""
        scores, partners = self.cosines / self.temperature, torch.arange(len(self.cosines))
        found = F.cross_entropy(scores, partners) + F.cross_entropy(scores.T, partners)
        return found.item() / 2

    @property
    def ranks(self) -> Tensor:
        """The rank of each text's partner, from 1, for both directions, (2, N)."""
        partners = self.cosines.diagonal()
        better = [(scores > partners[:, None]).sum(1) for scores in (self.cosines, self.cosines.T)]
        return torch.stack(better) + 1

    @property
    def recall(self) -> float:
        """Share of texts whose partner comes first."""
        return (self.ranks == 1).float().mean().item()

    @property
    def reciprocal_rank(self) -> float:
        """Mean reciprocal rank."""
        return (1 / self.ranks).mean().item()


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out pairs, in every process the same."""
    vectors = []
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        batch = workers.move(batch)
        with workers.autocast():
            found = model(batch["tokens"], batch["seen"])  # (2 * B, E)
        vectors.append(F.normalize(found.float(), dim=-1).cpu())
    left, right = torch.cat(vectors).unflatten(0, (-1, 2)).unbind(1)  # (N, E) each
    return Score(left @ right.T, corpus.config.temperature)


def chance(pairs: int) -> tuple[float, float]:
    """Expected recall@1 and mean reciprocal rank of a random order."""
    return 1 / pairs, sum(1 / rank for rank in range(1, pairs + 1)) / pairs


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on its held-out pairs."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    found = score(model, Corpus(config), workers, MOST)
    leave_workers(workers)
    pairs = len(found.cosines)
    guessed = chance(pairs)
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {pairs:,} pairs",
        columns=("predictor", "recall@1", "MRR"),
        rows=(("this model", found.recall, found.reciprocal_rank), ("chance", *guessed)),
        figures={
            "steps": steps,
            "pairs": pairs,
            "loss": found.loss,
            "recall_at_1": found.recall,
            "mrr": found.reciprocal_rank,
            "chance_recall_at_1": guessed[0],
            "chance_mrr": guessed[1],
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
