"""Controllers of the cart, good and bad: where the recorded episodes come from."""

import numpy as np

#: How much position, velocity, angle and angular velocity call for a push to the right.
WEIGHTS = np.array((0.15, 0.45, 3.0, 1.0))


def control(states: np.ndarray, skill: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Actions, (N,), for states, (N, 4): a push against the fall, or any, as skill decides."""
    wise = (states @ WEIGHTS > 0).astype(np.int64)
    wild = rng.integers(2, size=len(states))
    return np.where(rng.random(len(states)) < skill, wise, wild)
