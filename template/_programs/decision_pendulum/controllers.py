"""Controllers of the pendulum, good and bad: where the recorded episodes come from."""

import numpy as np

from .environment import GRAVITY, LENGTH, MASS, TORQUE

INERTIA = MASS * LENGTH**2 / 3
UPRIGHT = MASS * GRAVITY * LENGTH / 2  # energy of rest at the top


def control(states: np.ndarray, skill: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Actions, (N, 1), for states, (N, 2): wise ones, or any, as skill decides.

    Far from the top a wise motor pumps energy (Astrom and Furuta, 2000), near it it holds.
    """
    lean = (states[:, 0] + np.pi) % (2 * np.pi) - np.pi
    speed = states[:, 1]
    energy = INERTIA * speed**2 / 2 + UPRIGHT * np.cos(lean)
    pump = 2 * (UPRIGHT - energy) * np.where(speed < 0, -1, 1)
    hold = -(20 * lean + 4 * speed)
    torque = np.where((np.abs(lean) < 0.5) & (np.abs(speed) < 3), hold, pump)
    wise = np.clip(torque / TORQUE, -1, 1)
    wild = rng.uniform(-1, 1, len(states))
    return np.where(rng.random(len(states)) < skill, wise, wild)[:, None]
