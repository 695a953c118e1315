"""Evaluate a trained segmenter on held-out pictures, beside one that knows class counts only.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. The intersection over union of a class divides the pixels where prediction
and truth both say it by those where either does; their mean runs over the classes that occur.
The other predictor calls every pixel by the most frequent class of the training pictures.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .answers import answers
from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser

COUNTED = 32  # training batches whose pixels are counted


@dataclass(frozen=True)
class Score:
    """Mean loss in nats per pixel, and pixels by true and predicted class, (V, V)."""

    loss: float
    confusion: Tensor

    @property
    def iou(self) -> Tensor:
        """Intersection over union of every class; not a number where it never occurs."""
        hits = self.confusion.diagonal()
        return hits / (self.confusion.sum(0) + self.confusion.sum(1) - hits)

    @property
    def mean_iou(self) -> float:
        """Its mean over the classes that occur."""
        return self.iou.nanmean().item()

    @property
    def accuracy(self) -> float:
        """The share of pixels that are called right."""
        return (self.confusion.diagonal().sum() / self.confusion.sum()).item()


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out pictures, in every process the same."""
    classes = corpus.config.num_classes
    confusion = torch.zeros(classes, classes, dtype=torch.float64)
    nats, pictures = 0.0, 0
    training = model.training
    model.eval()
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        on_device = workers.move(batch)
        with workers.autocast():
            nats += model.loss(on_device).item() * len(batch["mask"])
            predicted = answers(model, on_device["images"])  # (B, side, side)
        pictures += len(batch["mask"])
        confusion += confused(batch["mask"], predicted.cpu(), classes)
    model.train(training)
    return Score(nats / pictures, confusion)


def confused(truth: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Labelled pixels by true and predicted class, (V, V)."""
    known = truth >= 0
    pairs = truth[known] * classes + predicted[known]
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes).double()


def most_frequent_class(corpus: Corpus) -> int:
    """The class that most pixels of the first training pictures have."""
    counts = torch.zeros(corpus.config.num_classes)
    for step in range(COUNTED):
        mask = corpus.train_batch(step, range(corpus.config.micro_batch))["mask"]
        counts += torch.bincount(mask[mask >= 0], minlength=len(counts))
    return int(counts.argmax())


def trivial_score(corpus: Corpus, limit: int | None = None) -> Score:
    """The score of calling every held-out pixel by the most frequent class."""
    answer, classes = most_frequent_class(corpus), corpus.config.num_classes
    confusion = torch.zeros(classes, classes, dtype=torch.float64)
    for batch in corpus.val_batches(64, limit):
        mask = batch["mask"]
        confusion += confused(mask, torch.full_like(mask, answer), classes)
    return Score(float("nan"), confusion)


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out pictures."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    ours, trivial = score(model, corpus, workers), trivial_score(corpus)
    leave_workers(workers)
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {int(ours.confusion.sum()):,} pixels",
        columns=("predictor", "mean IoU", "pixel accuracy", "loss (nats/pixel)"),
        rows=(
            ("this model", ours.mean_iou, ours.accuracy, ours.loss),
            ("most frequent class", trivial.mean_iou, trivial.accuracy, None),
        ),
        figures={
            "steps": steps,
            "pixels": int(ours.confusion.sum()),
            "loss": ours.loss,
            "mean_iou": ours.mean_iou,
            "accuracy": ours.accuracy,
            "trivial_mean_iou": trivial.mean_iou,
            "trivial_accuracy": trivial.accuracy,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
