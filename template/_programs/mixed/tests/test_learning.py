"""A short training beats what needs no model on every measure."""

from dataclasses import replace

from PACKAGE.eval import better, evaluate
from PACKAGE.train import train


def test_every_output_is_learned(config):
    config = replace(config, steps=240, warmup_steps=30)
    train(config)
    table = evaluate(config.run_dir, "cpu")
    assert table.figures["steps"] == config.steps
    for name, ours, trivial, _ in table.rows:
        if better(name) == "more":
            assert ours > trivial + 0.1 * (1 - trivial), name
        else:
            assert ours < 0.9 * trivial, name
