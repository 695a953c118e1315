"""Evaluate a trained model on held-out samples, beside always answering the commonest class.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Accuracy is the share of samples whose likeliest class is their label; loss is
in nats per sample. The trivial predictor knows how often each class occurs in training, no more.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from .checkpoint import load_model
from .config import Config
from .data import INPUT, Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


@dataclass(frozen=True)
class Score:
    """Total negative log-likelihood, in nats, and right answers over some samples."""

    nats: float
    right: int
    samples: int

    @property
    def loss(self) -> float:
        """Nats per sample."""
        return self.nats / self.samples

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.samples


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out samples, in every process the same."""
    nats, right, samples = 0.0, 0, 0
    training = model.training
    model.eval()
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        batch = workers.move(batch)
        with workers.autocast():
            logits = model(batch[INPUT]).float()  # (B, V)
        nats += F.cross_entropy(logits, batch["labels"], reduction="sum").item()
        right += int((logits.argmax(dim=-1) == batch["labels"]).sum())
        samples += len(logits)
    model.train(training)
    return Score(nats, right, samples)


def majority_score(corpus: Corpus, limit: int | None = None) -> Score:
    """The same for the class frequencies of the training samples, whatever the input."""
    counts = torch.bincount(corpus.train_labels(), minlength=corpus.config.num_classes) + 1.0
    surprise = -(counts / counts.sum()).log()  # (V,) nats; none is impossible
    labels = corpus.val_labels()[:limit]
    right = int((labels == counts.argmax()).sum())
    return Score(surprise[labels].sum().item(), right, len(labels))


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out samples."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    scores = {
        "this model": score(model, corpus, workers),
        "majority class": majority_score(corpus),
    }
    leave_workers(workers)
    model_score, trivial = scores.values()
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {model_score.samples:,} samples",
        columns=("predictor", "accuracy", "loss (nats/sample)"),
        rows=tuple((n, s.accuracy, s.loss) for n, s in scores.items()),
        figures={
            "steps": steps,
            "samples": model_score.samples,
            "loss": model_score.loss,
            "accuracy": model_score.accuracy,
            "majority_loss": trivial.loss,
            "majority_accuracy": trivial.accuracy,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
