"""Balls fall where the paddle should be."""

import numpy as np

from PACKAGE.environment import BOARD, build_environment


def test_a_ball_is_caught_or_lost_at_the_bottom(config):
    world = build_environment(config)
    states = np.array(((BOARD - 2, 3, 3, 7), (BOARD - 2, 3, 6, 7), (1, 3, 3, 7)))
    if config.actions == "continuous":
        still = np.zeros((3, 1))
    else:
        still = np.full(3, 2)
    moved, rewards, over = world.advance(states, still)
    assert rewards.tolist() == [1, -1, 0] and not over.any()
    assert moved[:, 0].tolist() == [0, 0, 2] and moved[2, 1] == 3
    assert (0 <= moved[:, 1]).all() and (moved[:, 1] < BOARD).all()


def test_pixels_show_ball_and_paddle(config):
    world = build_environment(config)
    seen = world.observe(np.array(((0, 0, BOARD - 1, 0),)))
    side = config.image_size
    assert seen.shape == (1, config.channels, side, side) and seen.dtype == np.uint8
    assert seen[0, 0, 0, 0] == seen[0, 0, -1, -1] == 255 and seen[0, 0, 0, -1] == 0
    assert world.draw(np.array((0, 0, 1, 0))).size == (192, 192)
