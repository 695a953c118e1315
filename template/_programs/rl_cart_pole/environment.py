"""Cart and pole: keep a pole upright by pushing the cart that it is hinged to.

The equations are those of Barto, Sutton and Anderson (1983, appendix) without friction, with the
constants, the time step and the limits that Gymnasium's CartPole-v1 made customary.
"""

import numpy as np
from PIL import Image, ImageDraw

from .config import Config

GRAVITY = 9.8  # m/s²
CART, POLE = 1.0, 0.1  # kg
HALF_LENGTH = 0.5  # m, from the hinge to the pole's centre
FORCE = 10.0  # N
TICK = 0.02  # s
EDGE = 2.4  # m: beyond it the cart has left the track
TILT = 12 * 2 * np.pi / 360  # rad: beyond it the pole has fallen


class Environment:
    """One reward for every step on which the pole has not fallen, two actions: left and right."""

    limit = 500  # steps of an episode
    choices = 2
    columns = ("position", "velocity", "angle", "angular_velocity")

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """The first state of an episode, (4,): almost at rest, almost upright."""
        return rng.uniform(-0.05, 0.05, 4)

    def advance(
        self, states: np.ndarray, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """States, rewards and whether it is over, after pushing: (N, 4), (N,), (N,)."""
        x, x_dot, theta, theta_dot = states.T
        force = np.where(actions == 1, FORCE, -FORCE)
        mass, moment = CART + POLE, POLE * HALF_LENGTH
        cosine, sine = np.cos(theta), np.sin(theta)
        pull = (force + moment * np.square(theta_dot) * sine) / mass
        inertia = HALF_LENGTH * (4.0 / 3.0 - POLE * np.square(cosine) / mass)
        theta_acc = (GRAVITY * sine - cosine * pull) / inertia
        x_acc = pull - moment * theta_acc * cosine / mass
        x, theta = x + TICK * x_dot, theta + TICK * theta_dot
        moved = np.stack((x, x_dot + TICK * x_acc, theta, theta_dot + TICK * theta_acc), axis=1)
        fallen = (np.abs(x) > EDGE) | (np.abs(theta) > TILT)
        return moved, np.ones(len(states)), fallen

    def observe(self, states: np.ndarray) -> np.ndarray:
        """What the agent is told: all of it, (N, 4)."""
        return states

    def draw(self, state: np.ndarray) -> Image.Image:
        """A picture of one state, 300 by 200 pixels."""
        picture = Image.new("RGB", (300, 200), "white")
        pen = ImageDraw.Draw(picture)
        x, base = 150 + state[0] * 120 / EDGE, 150
        tip = (x + 100 * np.sin(state[2]), base - 10 - 100 * np.cos(state[2]))
        pen.line((0, base + 10, 300, base + 10), fill="black")
        pen.rectangle((x - 20, base - 10, x + 20, base + 10), fill="#334455")
        pen.line((x, base - 10, *tip), fill="#cc7733", width=6)
        return picture


def build_environment(config: Config) -> Environment:
    """The environment that an agent of this configuration lives in."""
    return Environment()
