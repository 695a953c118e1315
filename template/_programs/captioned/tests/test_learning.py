"""Training finds pairs again that it never saw."""

from dataclasses import replace

from PACKAGE.eval import evaluate
from PACKAGE.train import train


def test_retrieval_beats_chance_on_held_out_pairs(config):
    config = replace(config, steps=150, global_batch=32, micro_batch=32, warmup_steps=15)
    train(config)
    found = evaluate(config.run_dir, "cpu").figures
    assert found["steps"] == config.steps
    assert found["picture_recall_1"] > 3 * found["chance"]
    assert found["text_recall_1"] > 3 * found["chance"]
