"""Periodic functions drawn at random."""

import numpy as np

HARMONICS = 3


def wave(rng: np.random.Generator, turns: np.ndarray) -> np.ndarray:
    """A random periodic function of full turns, with a variance of about one half."""
    total = np.zeros(len(turns))
    for harmonic in range(1, HARMONICS + 1):
        phase, size = rng.uniform(0, 2 * np.pi), rng.normal(0, 1) / harmonic
        total += size * np.sin(2 * np.pi * harmonic * turns + phase)
    return total
