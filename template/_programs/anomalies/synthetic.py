"""The built-in series: machines that go round, and what goes wrong with some of them.

Nothing that goes wrong leaves the range of the usual values by much: it is its place that does not
fit. A series depends on the seed and its number alone.
"""

from dataclasses import replace

import numpy as np

from .series import Series, whole
from .waves import wave

#: Seasons, in steps.
CYCLES = (16, 20, 24, 28, 32)
FAULTS = ("jump", "stuck", "slipped", "noise")
APART = 40  # steps from one fault to the next, at least


def healthy_series(seed: int, index: int, length: int) -> Series:
    """Series `index`, of `length` steps, of which nothing is an anomaly."""
    rng = np.random.default_rng((seed, index))
    cycle = int(rng.choice(CYCLES))
    time = np.arange(length)
    drift = rng.normal(0, 0.01, length).cumsum()
    values = wave(rng, time / cycle) + drift + rng.normal(0, rng.uniform(0.03, 0.1), length)
    values = rng.normal(0, 5) + values * 10 ** rng.uniform(-1, 2)
    labels = np.zeros((length, 1), bool)
    return replace(whole(f"machine {index}", values, season=cycle), labels=labels)


def faulty_series(seed: int, index: int, length: int) -> Series:
    """The same with faults, a few steps each, and labels that say where."""
    series = healthy_series(seed, index, length)
    rng = np.random.default_rng((seed, index, 1))
    values, labels = series.values[:, 0].copy(), series.labels.copy()
    spread, cycle = values.std(), series.season
    begin = int(rng.integers(APART // 2, APART * 2))
    while begin < length - cycle:
        fault = FAULTS[rng.integers(len(FAULTS))]
        steps = {"jump": int(rng.integers(1, 3))}.get(fault, cycle // 2)
        span = slice(begin, begin + steps)
        if fault == "jump":
            values[span] += rng.choice((-1, 1)) * rng.uniform(1, 2) * spread
        elif fault == "stuck":
            values[span] = values[begin - 1]
        elif fault == "slipped":  # half a turn late
            values[span] = values[begin - cycle // 2 : begin - cycle // 2 + steps]
        else:
            values[span] += rng.normal(0, 0.8 * spread, steps)
        labels[span] = True
        begin += steps + APART + int(rng.integers(0, 3 * APART))
    return replace(series, values=values[:, None], labels=labels)
