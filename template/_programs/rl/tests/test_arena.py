"""Environments side by side: ends, time limits, repetition and saved states."""

import numpy as np
import pytest
import torch

from PACKAGE.arena import BuiltIn, open_arena
from PACKAGE.playing import RandomActor, play


def acts(config, arena, steps):
    """The outcomes of acting at random for a while."""
    actor = RandomActor(config)
    return [arena.step(actor.act(arena.observe())) for _ in range(steps)]


def test_episodes_repeat_and_splits_differ(config):
    first, again = (acts(config, BuiltIn(config, 3, "training"), 40) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.after, other.after) and torch.equal(one.rewards, other.rewards)
    held_out = BuiltIn(config, 3, "held out")
    assert not np.array_equal(held_out.states, BuiltIn(config, 3, "training").states)


def test_a_saved_arena_goes_on_as_if_nothing_had_happened(config):
    arena, other = BuiltIn(config, 4, "training"), BuiltIn(config, 4, "training")
    acts(config, arena, 25)
    other.restore(arena.state())
    for one, two in zip(acts(config, arena, 60), acts(config, other, 60), strict=True):
        assert torch.equal(one.after, two.after) and one.finished == two.finished


def test_a_time_limit_ends_without_termination(config):
    arena = BuiltIn(config, 2, "training")
    arena.clocks[1] = arena.world.limit - 1
    before = arena.episodes.copy()
    (step,) = acts(config, arena, 1)
    assert step.ended.tolist() == [False, True] and not step.terminated.any()
    assert len(step.finished) == 1 and arena.clocks.tolist() == [1, 0]
    assert (arena.episodes - before).tolist() == [0, 1]
    assert not torch.equal(step.after[1], arena.observe()[1])  # another episode has begun


def test_every_environment_plays_one_episode(config):
    returns = play(BuiltIn(config, 5, "held out"), RandomActor(config))
    assert returns.shape == (5,) and torch.isfinite(returns).all()


@pytest.mark.parametrize("name", ["CartPole-v1", "gymnasium:", "atari:Pong"])
def test_a_wrong_environment_names_the_flag(config, name):
    from dataclasses import replace

    with pytest.raises(ValueError, match="--env"):
        open_arena(replace(config, env=name), 1, "training")
