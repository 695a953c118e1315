"""How good forecasts are, and forecasts that need no training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .data import Corpus, Window
from .model import levels
from .parallel import Workers
from .series import Series


@dataclass(frozen=True)
class Score:
    """Means over some windows.

    Attributes:
        windows: how many there were.
        loss: quantile loss, doubled, in deviations of the past; of points the absolute error.
        mase: error of the median over that of last season's values in training (Hyndman and
            Koehler 2006).
        weighted: quantile loss of all values, over the sum of their sizes.
        coverage: share of the values between the first and the last decile; None for points.
    """

    windows: int
    loss: float
    mase: float
    weighted: float
    coverage: float | None


@torch.no_grad()
def model_forecasts(
    model: nn.Module, corpus: Corpus, windows: Sequence[Window], workers: Workers
) -> np.ndarray:
    """A model's forecasts of windows, (windows, H, Q)."""
    training = model.training
    model.eval()
    answers, size = [], 8 * corpus.config.micro_batch
    for first in range(0, len(windows), size):
        batch = workers.move(corpus.batch(windows[first : first + size]))
        with workers.autocast():
            answers.append(model(batch["past"], batch["known"]).float().cpu())
    model.train(training)
    return torch.cat(answers).squeeze(2).numpy()  # (B, H, 1, Q) -> (B, H, Q)


def last_season(series: Series, window: Window, horizon: int) -> np.ndarray:
    """The last known season again and again, (H,)."""
    season = min(series.season, window.end)
    values, known = series.span(window.column, window.end - season, window.end, window.end)
    if known.any():
        values = np.where(known, values, values[known].mean())
    return np.resize(values, horizon)


def last_value(series: Series, window: Window, horizon: int) -> np.ndarray:
    """The last known value again and again, (H,)."""
    values, known = series.span(window.column, 0, window.end, window.end)
    return np.full(horizon, values[known][-1] if known.any() else 0.0)


def naive_forecasts(predict, corpus: Corpus, windows: Sequence[Window]) -> np.ndarray:
    """What `last_season` or `last_value` say of windows, (windows, H, 1)."""
    horizon = corpus.config.horizon
    return np.stack([predict(corpus.series[w.series], w, horizon) for w in windows])[..., None]


def measure(corpus: Corpus, windows: Sequence[Window], forecasts: np.ndarray) -> Score:
    """How good forecasts, (windows, H, Q), are; those of one number are points."""
    batch = {name: t.squeeze(2).numpy() for name, t in corpus.batch(windows).items()}
    future, known = batch["future"], batch["future_known"]  # (W, H)
    count = known.sum(axis=1).clip(min=1)
    level = levels(corpus.config) if forecasts.shape[-1] > 1 else (0.5,)
    errors = quantile_errors(future, forecasts, level)
    median, coverage = forecasts[..., len(level) // 2], None
    if len(level) > 1:
        inside = (forecasts[..., 0] <= future) & (future <= forecasts[..., -1])
        coverage = float(inside[known].mean())
    errors, missed = errors * known, np.abs(future - median) * known
    pasts = zip(batch["past"], batch["known"], strict=True)
    deviation = np.array([spread(*past) for past in pasts])
    usual = np.array([seasonal_error(corpus.series[w.series], w.column) for w in windows])
    return Score(
        windows=len(windows),
        loss=float((errors.sum(axis=1) / count / deviation).mean()),
        mase=float((missed.sum(axis=1) / count / usual).mean()),
        weighted=float(errors.sum() / max((np.abs(future) * known).sum(), 1e-12)),
        coverage=coverage,
    )


def quantile_errors(
    future: np.ndarray, forecasts: np.ndarray, level: tuple[float, ...]
) -> np.ndarray:
    """Mean quantile loss, doubled: (...) and (..., Q) -> (...)."""
    quantile, error = np.array(level), future[..., None] - forecasts
    return 2 * np.maximum(quantile * error, (quantile - 1) * error).mean(axis=-1)


def spread(values: np.ndarray, known: np.ndarray) -> float:
    """The standard deviation of what is known of a past, (T,)."""
    return float(np.sqrt(values[known].var() + 1e-5)) if known.any() else 1.0


def seasonal_error(series: Series, column: int) -> float:
    """Mean absolute change from season to season, in the part that is trained on."""
    values, known = series.span(column, 0, series.trained, series.trained)
    step = min(series.season, len(values) - 1)
    both = known[step:] & known[:-step]
    changes = np.abs(values[step:] - values[:-step])[both]
    return max(float(changes.mean()) if len(changes) else 1.0, 1e-9)
