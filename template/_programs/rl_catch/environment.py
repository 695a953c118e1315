"""Catch: balls fall, one after the other, and a paddle at the bottom should be where they land.

After Mnih et al. (2014) as in the behaviour suite for reinforcement learning (Osband et al. 2020),
with several balls to an episode. The agent sees pixels only.
"""

import numpy as np
from PIL import Image

from .config import Config

BOARD = 8  # cells of the board, each way
BALLS = 10  # balls of an episode


class Environment:
    """A reward of 1 for every ball that is caught, of -1 for every other."""

    limit = BALLS * (BOARD - 1)  # steps of an episode
    choices = 3
    columns = ("ball_row", "ball_column", "paddle", "later_balls")

    def __init__(self, config: Config):
        self.config = config

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """The first state, (4,): row and column of the ball, the paddle, a key to later balls."""
        return np.array((0, rng.integers(BOARD), BOARD // 2, rng.integers(BOARD**3)))

    def advance(
        self, states: np.ndarray, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """States, rewards and whether it is over (never), after moving: (N, 4), (N,), (N,)."""
        row, column, paddle, key = states.T
        if self.config.actions == "continuous":
            move = np.rint(np.clip(actions[:, 0], -1, 1)).astype(int)
        else:
            move = np.array((-1, 1, 0))[actions]  # left, right, stay
        row, paddle = row + 1, np.clip(paddle + move, 0, BOARD - 1)
        landed = row == BOARD - 1
        rewards = np.where(landed, np.where(paddle == column, 1.0, -1.0), 0.0)
        key = np.where(landed, (key * 5 + 131) % BOARD**3, key)  # visits every number once
        column, row = np.where(landed, key * 3 // BOARD % BOARD, column), np.where(landed, 0, row)
        moved = np.stack((row, column, paddle, key), axis=1)
        return moved, rewards, np.zeros(len(states), dtype=bool)

    def observe(self, states: np.ndarray) -> np.ndarray:
        """What the agent sees, (N, C, Y, X) bytes: ball and paddle on black."""
        config, side = self.config, self.config.image_size
        cell = np.arange(side) * BOARD // side  # the row or column of the board of each pixel
        ball_rows = states[:, 0, None] == cell  # (N, Y)
        ball_columns = states[:, 1, None] == cell  # (N, X)
        paddle_columns = states[:, 2, None] == cell  # (N, X)
        ball = ball_rows[:, :, None] & ball_columns[:, None, :]  # (N, Y, X)
        paddle = (cell == BOARD - 1)[:, None] & paddle_columns[:, None, :]  # (N, Y, X)
        pixels = np.where(ball | paddle, 255, 0).astype(np.uint8)
        return np.repeat(pixels[:, None], config.channels, axis=1)

    def draw(self, state: np.ndarray) -> Image.Image:
        """A picture of one state, 192 by 192 pixels."""
        return Image.fromarray(self.observe(state[None])[0, 0]).resize((192, 192), Image.NEAREST)


def build_environment(config: Config) -> Environment:
    """The environment that an agent of this configuration lives in."""
    return Environment(config)
