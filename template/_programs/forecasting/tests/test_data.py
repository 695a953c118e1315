"""Batches follow from the seed and the step, and nothing that is held out is trained on."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch

from PACKAGE.airline import airline_passengers
from PACKAGE.data import Corpus, prepare


def test_a_batch_depends_on_seed_and_step_alone(config):
    corpus, again = Corpus(config), Corpus(config)
    batch, part = corpus.train_batch(5, range(8)), again.train_batch(5, range(4, 8))
    assert batch["past"].shape == (8, config.lookback, config.num_variables)
    assert batch["future"].shape == (8, config.horizon, config.num_variables)
    assert all(torch.equal(batch[name][4:], part[name]) for name in batch)
    assert not torch.equal(batch["past"], corpus.train_batch(6, range(8))["past"])


def test_training_sees_nothing_that_is_held_out(config):
    corpus = Corpus(config)
    chosen = [w for step in range(20) for w in drawn(corpus, step)]
    assert {w.until for w in chosen} == {corpus.series[w.series].trained for w in chosen}
    assert all(w.end < w.until for w in chosen)
    assert all(w.end >= corpus.series[w.series].trained for w in corpus.val)


def drawn(corpus, step):
    """Windows as training draws them."""
    rng = Random(step)
    return [corpus.draw(number, rng) for number in range(0, len(corpus.series), 9)]


def test_the_real_series_is_among_them(config):
    airline = airline_passengers()
    assert len(airline) == 144 and airline.values.sum() == 40_363 and airline.season == 12
    corpus = Corpus(config)
    assert corpus.series[-1].name == airline.name
    assert any(w.series == len(corpus.series) - 1 for w in corpus.val)


def test_own_series_are_forecast_from_their_past(config, tmp_path):
    time = np.arange(150)
    rows = [f"2020-{t},{np.sin(time[t] / 2):.4f},{'' if t % 7 == 0 else t}" for t in time]
    (tmp_path / "own.csv").write_text("\n".join(["day,a,b", *rows]) + "\n", encoding="utf-8")
    config = replace(config, data=str(tmp_path / "own.csv"))
    prepare(config)
    corpus = Corpus(config)
    (series,) = corpus.series
    assert series.columns == ("a", "b") and series.held_out >= config.horizon
    batch = next(corpus.val_batches(4))
    assert batch["past"].shape[1:] == (config.lookback, 1)
    assert not corpus.batch([w for w in corpus.val if w.column])["known"].all()
    assert replace(config, season=9).season == Corpus(replace(config, season=9)).series[0].season


def test_short_series_are_refused(config, tmp_path):
    (tmp_path / "own.csv").write_text("a\n1\n2\n3\n", encoding="utf-8")
    with pytest.raises(ValueError, match="too few"):
        prepare(replace(config, data=str(tmp_path / "own.csv")))
