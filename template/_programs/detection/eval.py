"""Evaluate a trained detector on held-out pictures, beside one that always says the same.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Average precision is the mean precision over 101 levels of recall, averaged
over the classes that occur; an object is found where class and place agree, the latter by an
intersection over union of at least 0.5, or of 0.5 to 0.95 in ten steps, averaged (Lin et al. 2014).
The other predictor finds one object a picture: the mean box, of the most frequent class.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from .answers import Answer, answers, guess, iou, truths
from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser

THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
RECALLS = np.linspace(0, 1, 101)
COUNTED = 32  # training batches whose objects are counted


@dataclass(frozen=True)
class Score:
    """Mean loss, and what was found in each picture beside what is there."""

    loss: float
    found: list[Answer]
    there: list[Answer]

    @cached_property
    def precisions(self) -> list[float]:
        """Mean average precision at each of the thresholds."""
        classes = sorted({label for answer in self.there for label in answer.labels.tolist()})
        each = [class_precisions(c, self.found, self.there) for c in classes]
        return np.mean(each, axis=0).tolist() if each else [0.0] * len(THRESHOLDS)

    @property
    def ap50(self) -> float:
        """Mean average precision at an intersection over union of 0.5."""
        return self.precisions[0]

    @property
    def ap(self) -> float:
        """The mean over all thresholds."""
        return float(np.mean(self.precisions))


def class_precisions(label: int, found: list[Answer], there: list[Answer]) -> list[float]:
    """Average precision of one class at each threshold."""
    scores, pairs, total = [], [], 0
    for ours, theirs in zip(found, there, strict=True):
        ours, theirs = ours.where(ours.labels == label), theirs.where(theirs.labels == label)
        total += len(theirs.labels)
        order = ours.scores.argsort(descending=True, stable=True)
        ours = ours.where(order)
        scores += ours.scores.tolist()
        pairs.append(iou(ours, theirs).numpy())
    ranks = np.argsort(-np.array(scores), kind="stable")
    return [
        average_precision(np.concatenate([hits(p, t) for p in pairs])[ranks], total)
        for t in THRESHOLDS
    ]


def hits(overlaps: np.ndarray, threshold: float) -> np.ndarray:
    """Whether each finding, the surest first, covers an object that none before it did, (n,)."""
    overlaps = overlaps.copy()
    right = np.zeros(len(overlaps), dtype=bool)
    for i, row in enumerate(overlaps):
        if row.size and row.max() >= threshold:
            right[i] = True
            overlaps[:, row.argmax()] = -1
    return right


def average_precision(right: np.ndarray, total: int) -> float:
    """Mean precision over the levels of recall, of findings in order of their confidence."""
    if not total or not len(right):
        return 0.0
    found = right.cumsum()
    precision = found / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]  # the best at this recall or beyond
    at = np.searchsorted(found / total, RECALLS - 1e-9)
    return float(np.append(precision, 0.0)[at].mean())


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out pictures, in every process the same."""
    total, found, there = 0.0, [], []
    training = model.training
    model.eval()
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        on_device = workers.move(batch)
        with workers.autocast():
            total += model.loss(on_device).item() * len(batch["labels"])
            found += answers(model, on_device["images"])
        there += truths(batch)
    model.train(training)
    return Score(total / max(1, len(there)), found, there)


def trivial_score(corpus: Corpus, limit: int | None = None) -> Score:
    """The score of one object a picture: the mean box of the most frequent class."""
    config = corpus.config
    batches = [corpus.train_batch(step, range(config.micro_batch)) for step in range(COUNTED)]
    known = [answer for batch in batches for answer in truths(batch)]
    labels = torch.cat([answer.labels for answer in known])
    boxes = torch.cat([batch["boxes"][batch["labels"] >= 0] for batch in batches])
    label = int(labels.bincount().argmax()) if len(labels) else 0
    answer = guess(label, boxes.mean(dim=0).nan_to_num(0.5), config.image_size)
    there = [t for batch in corpus.val_batches(64, limit) for t in truths(batch)]
    return Score(float("nan"), [answer] * len(there), there)


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out pictures."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    ours, trivial = score(model, corpus, workers), trivial_score(corpus)
    leave_workers(workers)
    objects = sum(len(answer.labels) for answer in ours.there)
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {objects:,} objects",
        columns=("predictor", "AP@0.5", "AP@0.5:0.95", "loss"),
        rows=(
            ("this model", ours.ap50, ours.ap, ours.loss),
            ("mean box, most frequent class", trivial.ap50, trivial.ap, None),
        ),
        figures={
            "steps": steps,
            "objects": objects,
            "loss": ours.loss,
            "ap50": ours.ap50,
            "ap": ours.ap,
            "trivial_ap50": trivial.ap50,
            "trivial_ap": trivial.ap,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
