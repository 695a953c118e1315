"""The pendulum obeys its equation."""

import numpy as np

from PACKAGE.environment import GRAVITY, LENGTH, SPEED, TICK, build_environment


def test_without_torque_it_hangs_or_falls(config):
    world = build_environment(config)
    states = np.array(((np.pi, 0.0), (0.1, 0.0)))
    moved, rewards, over = world.advance(states, np.zeros((2, 1)))
    np.testing.assert_allclose(moved[0], states[0], atol=1e-12)
    wanted = 3 * GRAVITY / (2 * LENGTH) * np.sin(0.1) * TICK
    np.testing.assert_allclose(moved[1, 1], wanted)
    np.testing.assert_allclose(rewards, (-(np.pi**2), -0.01))
    assert not over.any()


def test_torque_and_speed_are_bounded(config):
    world = build_environment(config)
    states = np.array(((0.0, 7.9), (0.0, 7.9)))
    moved, _, _ = world.advance(states, np.array(((50.0,), (1.0,))))
    np.testing.assert_allclose(moved[0], moved[1])
    assert moved[0, 1] == SPEED
    assert world.observe(states).shape == (2, 3) and world.draw(states[0]).size == (200, 200)
