"""Evaluate a trained model on held-out samples, beside always naming the commonest class.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json` and `results/confusion.csv`, whose rows are true classes and whose columns are
predicted ones. Top-1 accuracy is the share of samples whose likeliest class is right; among more
than five classes, top-5 is the share with the right one among the five likeliest. Loss is in nats
per sample. The majority class is as likely to be named as it is frequent in training.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .confusion import save_confusion
from .data import INPUTS, Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


@dataclass(frozen=True)
class Score:
    """Scores of every class for some samples, (N, V), beside their labels, (N,)."""

    logits: Tensor
    labels: Tensor

    @property
    def loss(self) -> float:
        """Nats per sample."""
        return F.cross_entropy(self.logits, self.labels).item()

    def accuracy(self, most: int) -> float:
        """Share of samples whose class is among so many of the likeliest."""
        likeliest = self.logits.topk(most).indices  # (N, most)
        return (likeliest == self.labels[:, None]).any(dim=1).float().mean().item()


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out samples, in every process the same."""
    training = model.training
    model.eval()
    logits, labels = [], []
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        moved = workers.move(batch)
        with workers.autocast():
            answers = model(*(moved[name] for name in INPUTS))  # (B, V)
        logits.append(answers.float().cpu())
        labels.append(batch["labels"])
    model.train(training)
    return Score(torch.cat(logits), torch.cat(labels))


def majority_score(corpus: Corpus, labels: Tensor) -> Score:
    """The same for the frequency of each class in training, whatever the sample is."""
    counts = torch.bincount(corpus.train_labels(), minlength=corpus.config.num_classes)
    logits = (counts + 1.0).log()  # (V,); none is impossible
    return Score(logits.expand(len(labels), -1), labels)


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out samples."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    found = score(model, corpus, workers)
    leave_workers(workers)
    save_confusion(found.labels, found.logits.argmax(dim=1), corpus.names)
    trivial = majority_score(corpus, found.labels)
    tops = (1, 5) if config.num_classes > 5 else (1,)
    figures = {"steps": steps, "samples": len(found.labels)}
    for prefix, which in (("", found), ("trivial_", trivial)):
        figures |= {f"{prefix}top{most}_accuracy": which.accuracy(most) for most in tops}
        figures[f"{prefix}loss"] = which.loss
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {len(found.labels):,} samples",
        columns=("predictor", *(f"top-{most} accuracy" for most in tops), "loss (nats/sample)"),
        rows=tuple(
            (name, *map(which.accuracy, tops), which.loss)
            for name, which in (("this model", found), ("majority class", trivial))
        ),
        figures=figures,
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
