"""Batches that are split over several passes."""

from dataclasses import replace

import pytest

from PACKAGE.train import train


def test_accumulation_changes_little(config):
    """Losses are means over the objects of a pass, so that passes are not quite one batch."""
    config = replace(config, steps=2, warmup_steps=1)
    losses = [train(replace(config, micro_batch=m, run_dir=f"runs/{m}")) for m in (8, 4)]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
