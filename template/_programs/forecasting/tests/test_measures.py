"""Measures against their definitions, and forecasts that need no training."""

import numpy as np
import pytest

from PACKAGE.data import Corpus, Window
from PACKAGE.measures import (
    last_season,
    last_value,
    measure,
    quantile_errors,
    seasonal_error,
)
from PACKAGE.model import levels
from PACKAGE.series import whole

DECILES = tuple(i / 10 for i in range(1, 10))


def test_of_a_point_the_quantile_loss_is_the_absolute_error():
    truth, point = np.array([1.0, 5.0]), np.array([3.0, 3.0])
    deciles = np.repeat(point[:, None], len(DECILES), axis=1)
    assert quantile_errors(truth, deciles, DECILES) == pytest.approx([2.0, 2.0])


def test_quantiles_of_the_truth_cost_least():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20_000)
    deciles = np.quantile(truth, DECILES)

    def cost(x):
        answers = np.broadcast_to(x, (len(truth), len(x)))
        return quantile_errors(truth, answers, DECILES).mean()

    assert cost(deciles) < min(cost(deciles + 0.2), cost(deciles * 1.5), cost(deciles * 0))


def test_the_last_season_repeats():
    series = whole("a", np.arange(10.0) % 4, season=4, held_out=3)
    window = Window(0, 0, 7, 10)
    assert last_season(series, window, 6).tolist() == [3, 0, 1, 2, 3, 0]
    assert last_value(series, window, 2).tolist() == [2, 2]
    assert seasonal_error(series, 0) == pytest.approx(0, abs=1e-6)


def test_a_perfect_forecast_has_no_error(config):
    corpus = Corpus(config)
    windows = corpus.val[:20]
    truth = corpus.batch(windows)["future"].numpy()  # (W, H, 1)
    count = len(levels(config))
    found = measure(corpus, windows, np.repeat(truth, count, axis=2))
    assert found.loss == found.mase == found.weighted == 0
    assert found.coverage == (1 if count > 1 else None)
    assert measure(corpus, windows, truth + 1).coverage is None
    assert measure(corpus, windows, truth + 1).loss > 0
