"""What is remembered, and what it is worth."""

from dataclasses import replace

import torch

from PACKAGE import build_model
from PACKAGE.learner import Learner, chance
from PACKAGE.optim import build_optimizer
from PACKAGE.parallel import build_parallel, join_workers
from PACKAGE.replay import Replay


def test_the_oldest_are_overwritten():
    replay = Replay(5)
    for first in (0, 3):
        replay.add({"actions": torch.arange(first, first + 3)})
    assert len(replay) == 5 and sorted(replay.fields["actions"].tolist()) == [1, 2, 3, 4, 5]
    again = Replay(5)
    again.restore(replay.state())
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    drawn = [r.draw(9, g)["actions"] for r, g in zip((replay, again), generators, strict=True)]
    assert torch.equal(*drawn)


def test_a_time_limit_is_not_the_end(config):
    workers = join_workers(replace(config, device="cpu"))
    model, loss_of = build_parallel(config, workers)
    learner = Learner(config, model, loss_of, build_optimizer(model, config), workers)
    seen = learner.arena.observe()[:2]
    memories = {
        "observations": seen,
        "actions": torch.tensor([0, 1]),
        "rewards": torch.tensor([1.0, 1.0]),
        "after": seen,
        "terminated": torch.tensor([True, False]),
    }
    targets = learner.judged(memories)["targets"]
    best = build_model(config)(seen[1:]).max()  # network and older copy are the same at first
    assert targets[0] == 1 and torch.allclose(targets[1], 1 + config.discount * best)


def test_chance_falls_in_a_line_and_stays(config):
    rates = [chance(step, config) for step in range(config.steps + 1)]
    assert rates[0] == 1 and rates == sorted(rates, reverse=True)
    assert abs(rates[-1] - config.final_chance) < 1e-9
