"""How badly values fit, by the model and by rules that need no training; how well that tells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .config import Config
from .data import Corpus, Window, covering, spans
from .parallel import Workers
from .series import Series

CALIBRATION = 20  # training series that set the threshold, at most


@torch.no_grad()
def window_errors(
    model: nn.Module, config: Config, windows: Sequence[Window], workers: Workers
) -> np.ndarray:
    """The model's error of every value of windows, (windows, T)."""
    training = model.training
    model.eval()
    found, size = [], 4 * config.micro_batch
    for first in range(0, len(windows), size):
        values, known = spans(config, windows[first : first + size])
        with workers.autocast():
            errors = model(
                values.unsqueeze(-1).to(workers.device), known.unsqueeze(-1).to(workers.device)
            )
        found.append(errors.squeeze(-1).float().cpu().numpy())
    model.train(training)
    return np.concatenate(found)


def model_scores(model: nn.Module, config: Config, series: Series, workers: Workers) -> np.ndarray:
    """The mean error of every value and its neighbours, (steps, variables).

    It is the mean over all windows that hold them, and over as many steps as a patch has.
    """
    scores = np.zeros(series.values.shape)
    for column in range(len(series.columns)):
        windows = covering(config, series, column)
        total, count = np.zeros(len(series)), np.zeros(len(series))
        for window, errors in zip(
            windows, window_errors(model, config, windows, workers), strict=True
        ):
            first = max(0, window.end - config.lookback)
            kept = errors[len(errors) - (window.end - first) :]
            read = kept > 0  # what no patch holds has no error
            total[first : window.end] += kept
            count[first : window.end] += read
        near = np.ones(min(config.patch_length, len(series)))
        scores[:, column] = np.convolve(total, near, "same") / np.convolve(
            count, near, "same"
        ).clip(min=1)
    return scores


def threshold(model: nn.Module, corpus: Corpus, workers: Workers) -> float:
    """The score that `false_alarms` of the training values are above."""
    config = corpus.config
    scores = [
        model_scores(model, config, series, workers)[series.known]
        for series in corpus.train[:CALIBRATION]
    ]
    return float(np.quantile(np.concatenate(scores), 1 - config.false_alarms))


def distance_from_mean(series: Series) -> np.ndarray:
    """How many deviations every value is from the mean of its variable, (steps, variables)."""
    values = np.where(series.known, series.values, np.nan)
    apart = np.abs(values - np.nanmean(values, axis=0))
    return np.nan_to_num(apart / np.maximum(np.nanstd(values, axis=0), 1e-9))


def change(series: Series) -> np.ndarray:
    """How far every value is from the one before, in deviations, (steps, variables)."""
    steps = np.abs(np.diff(series.values, axis=0, prepend=series.values[:1]))
    return steps / np.maximum(series.values.std(axis=0), 1e-9) * series.known


@dataclass(frozen=True)
class Ranking:
    """How well scores tell anomalies from the rest.

    Attributes:
        auroc: share of the pairs of an anomaly and another value that are in order.
        precision: average precision: the area under precision over recall.
    """

    auroc: float
    precision: float


def ranked(scores: np.ndarray, labels: np.ndarray) -> Ranking:
    """Both measures of scores and labels, (values,)."""
    order = np.argsort(scores, kind="stable")
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]  # ties share the mean of their ranks
    wrong, right = int(labels.sum()), int((~labels).sum())
    if not wrong or not right:
        raise ValueError("--data: a measure needs anomalies and other values among the held-out")
    auroc = (ranks[labels].sum() - wrong * (wrong + 1) / 2) / (wrong * right)
    hits = labels[order[::-1]]
    precision = (hits.cumsum() / np.arange(1, len(hits) + 1))[hits].mean()
    return Ranking(float(auroc), float(precision))
