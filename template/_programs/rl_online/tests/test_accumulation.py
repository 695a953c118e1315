"""An update is the same however many micro-batches make it up."""

from dataclasses import replace

import pytest

from PACKAGE.train import train


def test_accumulation_changes_nothing_but_rounding(config):
    config = replace(config, steps=2, warmup_steps=1)
    losses = [train(replace(config, micro_batch=m, run_dir=f"runs/{m}")) for m in (64, 4)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
