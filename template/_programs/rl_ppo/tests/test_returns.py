"""Advantages and λ-returns are those of their definitions."""

import pytest
import torch

from PACKAGE.returns import advantages

DISCOUNT = 0.9


def episode_pieces(rewards, values, next_values, terminated, ended):
    """Each environment's run, cut where episodes end: lists of (time, environment)."""
    for n in range(rewards.size(1)):
        piece = []
        for t in range(rewards.size(0)):
            piece.append((t, n))
            if ended[t, n] or t == rewards.size(0) - 1:
                yield piece
                piece = []


def n_step_return(run, piece, start, steps):
    """Rewards of `steps` steps, and what is expected to come after them (Sutton and Barto, 7.1)."""
    rewards, _, next_values, terminated, _ = run
    span = piece[start : start + steps]
    total = sum(DISCOUNT**k * rewards[at] for k, at in enumerate(span))
    if not terminated[span[-1]]:
        total += DISCOUNT ** len(span) * next_values[span[-1]]
    return total


@pytest.mark.parametrize("gae_lambda", [0.0, 0.5, 0.95, 1.0])
def test_they_equal_a_loop_written_from_the_definition(gae_lambda):
    generator = torch.Generator().manual_seed(3)
    shape = (12, 5)
    rewards, values, next_values = (torch.randn(shape, generator=generator) for _ in range(3))
    ended = torch.rand(shape, generator=generator) < 0.25
    terminated = ended & (torch.rand(shape, generator=generator) < 0.5)
    next_values[:-1] = torch.where(ended[:-1], next_values[:-1], values[1:])  # the same state
    run = rewards, values, next_values, terminated, ended
    found = advantages(*run, DISCOUNT, gae_lambda) + values  # λ-returns
    for piece in episode_pieces(*run):
        for start, at in enumerate(piece):
            left = len(piece) - start
            wanted = (1 - gae_lambda) * sum(
                gae_lambda ** (n - 1) * n_step_return(run, piece, start, n) for n in range(1, left)
            )
            wanted += gae_lambda ** (left - 1) * n_step_return(run, piece, start, left)
            assert found[at].item() == pytest.approx(float(wanted), abs=1e-5)


def test_a_time_limit_is_not_the_end():
    one = torch.ones(1, 2)
    ended = torch.tensor([[True, True]])
    over = torch.tensor([[True, False]])
    found = advantages(one, 0 * one, 10 * one, over, ended, DISCOUNT, 0.95)
    assert found.tolist() == [[1.0, 10.0]]
