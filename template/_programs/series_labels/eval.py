"""Evaluate a trained model on held-out series, beside always naming the commonest class.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json` and `results/confusion.csv`, whose rows are true classes and whose columns are
predicted ones. Accuracy is the share of the series whose likeliest class is right; loss is in nats
per series.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .confusion import save_confusion
from .data import Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


@dataclass(frozen=True)
class Score:
    """Totals over some series.

    Attributes:
        nats: negative log-likelihood of the labels.
        labels, answers: true and likeliest classes, (series,).
    """

    nats: float
    labels: Tensor
    answers: Tensor

    @property
    def series(self) -> int:
        """Number of series."""
        return len(self.labels)

    @property
    def loss(self) -> float:
        """Nats per series."""
        return self.nats / self.series

    @property
    def accuracy(self) -> float:
        """Share of series whose likeliest class is right."""
        return int((self.answers == self.labels).sum()) / self.series


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out series, in every process the same."""
    training = model.training
    model.eval()
    batches = []
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        with workers.autocast():
            moved = workers.move(batch)
            logits = model(moved["values"], moved["known"])
        batches.append((logits.float().cpu(), batch["labels"]))
    model.train(training)
    return tally(batches)


def majority_score(corpus: Corpus, limit: int | None = None) -> Score:
    """The same for the frequency of each class in training, whatever it shows."""
    labels = torch.cat([corpus.stack([i])["labels"] for i in corpus.train[:1_000]])
    counts = torch.bincount(labels, minlength=corpus.config.num_classes) + 1.0  # none impossible
    logits = counts.log()  # (V,)
    batches = corpus.val_batches(64, limit)
    return tally([(logits.expand(len(b["labels"]), -1), b["labels"]) for b in batches])


def tally(batches: list[tuple[Tensor, Tensor]]) -> Score:
    """The totals of batches of scores, (B, V), and labels, (B,)."""
    logits, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return Score(
        nats=F.cross_entropy(logits, labels, reduction="sum").item(),
        labels=labels,
        answers=logits.argmax(dim=1),
    )


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out series."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    scores = {
        "this model": score(model, corpus, workers),
        "commonest class": majority_score(corpus),
    }
    leave_workers(workers)
    model_score, trivial = scores.values()
    save_confusion(model_score.labels, model_score.answers, corpus.names)
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {model_score.series:,} series",
        columns=("predictor", "accuracy", "loss (nats/series)"),
        rows=tuple((n, s.accuracy, s.loss) for n, s in scores.items()),
        figures={
            "steps": steps,
            "series": model_score.series,
            "loss": model_score.loss,
            "accuracy": model_score.accuracy,
            "trivial_loss": trivial.loss,
            "trivial_accuracy": trivial.accuracy,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
