"""The cart and its pole obey their equations."""

import numpy as np

from PACKAGE.environment import EDGE, build_environment


def test_a_push_moves_the_cart_and_tips_the_pole_the_other_way(config):
    world = build_environment(config)
    states = np.zeros((2, 4))
    for _ in range(2):
        states, rewards, fallen = world.advance(states, np.array((0, 1)))
    assert states[0, 0] < 0 < states[1, 0] and states[0, 2] > 0 > states[1, 2]
    np.testing.assert_allclose(states[0], -states[1])  # left and right are alike
    assert rewards.tolist() == [1, 1] and not fallen.any()


def test_a_pole_at_rest_falls_faster_the_more_it_leans(config):
    world = build_environment(config)
    states = np.array(((0, 0, 0.05, 0), (0, 0, 0.1, 0)), dtype=float)
    pairs = [world.advance(states, np.array((a, a)))[0][:, 3] for a in (0, 1)]
    slow, fast = (pairs[0] + pairs[1]) / 2  # the pushes cancel
    assert 0 < slow < fast


def test_leaving_the_track_and_falling_end_an_episode(config):
    world = build_environment(config)
    states = np.array(((EDGE + 0.01, 0, 0, 0), (0, 0, 0.22, 0), (0, 0, 0.1, 0)), dtype=float)
    assert world.advance(states, np.zeros(3, dtype=int))[2].tolist() == [True, True, False]
    assert world.draw(states[2]).size == (300, 200)
