"""A pendulum that hangs from a motor too weak to lift it at once: swing it up and hold it.

A rod of mass m and length l under torque u moves by θ'' = 3g/(2l) sin θ + 3u/(ml²), θ measured from
the upright; constants, time step and costs are those that Gymnasium's Pendulum-v1 made customary.
"""

import numpy as np
from PIL import Image, ImageDraw

from .config import Config

GRAVITY = 10.0  # m/s²
MASS, LENGTH = 1.0, 1.0  # kg, m
TICK = 0.05  # s
TORQUE = 2.0  # N·m that the motor has at most
SPEED = 8.0  # rad/s: the most that the bearing allows


class Environment:
    """A state is an angle and its velocity; the action is a torque as a share of the most."""

    limit = 200  # steps of an episode
    columns = ("angle", "angular_velocity")

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """The first state of an episode, (2,): any angle, any small velocity."""
        return rng.uniform((-np.pi, -1.0), (np.pi, 1.0))

    def advance(
        self, states: np.ndarray, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """States, rewards and whether it is over (never), after turning: (N, 2), (N,), (N,)."""
        theta, speed = states.T
        torque = TORQUE * np.clip(actions[:, 0], -1, 1)
        lean = (theta + np.pi) % (2 * np.pi) - np.pi  # the same angle within half a turn
        costs = lean**2 + 0.1 * speed**2 + 0.001 * torque**2
        pull = 3 * GRAVITY / (2 * LENGTH) * np.sin(theta) + 3 / (MASS * LENGTH**2) * torque
        speed = np.clip(speed + pull * TICK, -SPEED, SPEED)
        moved = np.stack((theta + speed * TICK, speed), axis=1)
        return moved, -costs, np.zeros(len(states), dtype=bool)

    def observe(self, states: np.ndarray) -> np.ndarray:
        """What the agent is told, (N, 3): cosine and sine of the angle, and the velocity."""
        return np.stack((np.cos(states[:, 0]), np.sin(states[:, 0]), states[:, 1]), axis=1)

    def draw(self, state: np.ndarray) -> Image.Image:
        """A picture of one state, 200 by 200 pixels."""
        picture = Image.new("RGB", (200, 200), "white")
        pen = ImageDraw.Draw(picture)
        tip = (100 + 75 * np.sin(state[0]), 100 - 75 * np.cos(state[0]))
        pen.line((100, 100, *tip), fill="#cc7733", width=10)
        pen.ellipse((94, 94, 106, 106), fill="#334455")
        return picture


def build_environment(config: Config) -> Environment:
    """The environment that an agent of this configuration lives in."""
    return Environment()
