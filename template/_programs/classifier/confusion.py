"""Answers of a classifier by the truth."""

import csv
from collections import Counter
from collections.abc import Sequence

from torch import Tensor

from .results import RESULTS


def save_confusion(labels: Tensor, answers: Tensor, names: Sequence[str]) -> None:
    """Write samples by true and by predicted class to `results/confusion.csv`."""
    counts = Counter(zip(labels.tolist(), answers.tolist(), strict=True))
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / "confusion.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["true class", *names])
        for true, name in enumerate(names):
            rows.writerow([name, *(counts[true, answer] for answer in range(len(names)))])
