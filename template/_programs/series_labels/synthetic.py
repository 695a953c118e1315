"""The built-in series: waves of several forms, of random period, phase, height and noise.

A series depends on the seed and its number alone.
"""

import numpy as np

CLASSES = ("sine", "square", "sawtooth", "pulses", "chirp", "bursts", "steps", "noise")


def synthetic_series(seed: int, index: int, length: int, variables: int, classes: int):
    """Series `index`, (length, variables), and its class."""
    rng = np.random.default_rng((seed, index))
    number = int(rng.integers(min(classes, len(CLASSES))))
    found = np.stack([form(rng, CLASSES[number], length) for _ in range(variables)], axis=1)
    return found.astype(np.float32), number


def form(rng: np.random.Generator, name: str, length: int) -> np.ndarray:
    """One variable of the class called `name`, (length,)."""
    period, phase = rng.uniform(length / 8, length / 3), rng.random()
    turns = np.arange(length) / period + phase
    if name == "sine":
        values = np.sin(2 * np.pi * turns)
    elif name == "square":
        values = np.where(turns % 1 < 0.5, 1.0, -1.0)
    elif name == "sawtooth":
        values = 2 * (turns % 1) - 1
    elif name == "pulses":
        values = np.where(turns % 1 < 0.12, 2.0, 0.0)
    elif name == "chirp":
        values = np.sin(2 * np.pi * turns * (0.4 + 1.6 * np.arange(length) / length))
    elif name == "bursts":
        values = np.sin(8 * np.pi * turns) * (turns % 1 < 0.4)
    elif name == "steps":
        values = rng.normal(0, 1, length)[np.floor(turns * 2).astype(int)]
    else:
        values = rng.normal(0, 1, length)
    values = values + rng.normal(0, rng.uniform(0.05, 0.3), length)
    return rng.normal(0, 3) + values * 10 ** rng.uniform(-1, 1)
