"""The built-in series: seasons within seasons, trends, noise, and a change of regime in some.

Half of them are sums of these and half products, as those of economies are. A series depends on
the seed and its number alone.
"""

import numpy as np

from .series import Series, whole
from .waves import wave

#: Seasons, in steps; the longest is that of the whole series.
CYCLES = ((4,), (5,), (6,), (7,), (4, 12), (12,), (6, 12), (6, 24), (12, 24), (7, 28), (48,),
          (24, 96), (24, 168), (60, 240))  # fmt: skip


def synthetic_series(seed: int, index: int, length: int, longest: int, held_out: int) -> Series:
    """Series `index`, of `length` steps, whose season is at most `longest` steps."""
    rng = np.random.default_rng((seed, index))
    fitting = [cycle for cycle in CYCLES if cycle[-1] <= longest] or [(max(1, longest),)]
    cycle = fitting[rng.integers(len(fitting))]
    time = np.arange(length)
    seasons = sum(wave(rng, time / steps) for steps in cycle)
    slope = rng.normal(0, 0.6) / cycle[-1] / 2
    wander = rng.normal(0, 0.02, length).cumsum()
    noise = rng.normal(0, rng.uniform(0.05, 0.35), length)
    strength, level = np.ones(length), np.zeros(length)
    if rng.random() < 0.3:  # another regime, from some step on
        change = int(rng.integers(length // 4, length))
        level[change:] = rng.normal(0, 2)
        strength[change:] = rng.uniform(0.6, 1.6)
    values = seasons * strength + slope * time + wander + level + noise
    if rng.random() < 0.5:
        values = np.exp(rng.uniform(0.1, 0.3) * values)
    values = rng.normal(0, 5) + values * 10 ** rng.uniform(-1, 3)
    return whole(f"series {index}", values, season=cycle[-1], held_out=held_out)
