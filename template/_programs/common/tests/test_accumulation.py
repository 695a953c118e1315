"""A global batch is the same however many micro-batches make it up."""

from dataclasses import replace

import pytest

from PACKAGE.train import train


def test_accumulation_changes_nothing_but_rounding(config):
    config = replace(config, steps=2, warmup_steps=1)
    if config.moe:
        config = replace(config, balance_weight=0.0)  # that loss is of one micro-batch at a time
    losses = [train(replace(config, micro_batch=m, run_dir=f"runs/{m}")) for m in (8, 2)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
