"""Batches follow from the seed and the step, and faults are only where they are held out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from PACKAGE.data import Corpus, covering, prepare
from PACKAGE.synthetic import faulty_series, healthy_series


def test_a_batch_depends_on_seed_and_step_alone(config):
    corpus, again = Corpus(config), Corpus(config)
    batch, part = corpus.train_batch(5, range(8)), again.train_batch(5, range(4, 8))
    assert batch["values"].shape == (8, config.lookback, config.num_variables)
    assert all(torch.equal(batch[name][4:], part[name]) for name in batch)
    other = corpus.train_batch(6, range(8))
    assert not torch.equal(batch["values"], other["values"])
    assert not torch.equal(batch["hidden"], other["hidden"])
    assert (batch["hidden"].sum(dim=1) == batch["hidden"][0].sum()).all()


def test_training_series_have_no_faults(config):
    corpus = Corpus(config)
    assert not any(series.labels.any() for series in corpus.train)
    share = np.mean([series.labels.mean() for series in corpus.judged])
    assert 0.01 < share < 0.2
    trained = {series.name for series in corpus.train}
    assert trained.isdisjoint(series.name for series in corpus.judged)


def test_faults_are_all_that_differs():
    healthy, faulty = (make(1, 7, 500) for make in (healthy_series, faulty_series))
    changed = healthy.values != faulty.values
    assert changed.any() and not (changed & ~faulty.labels).any()


def test_windows_cover_a_series(config):
    series = healthy_series(0, 0, 3 * config.lookback + 5)
    windows = covering(config, series, 0)
    assert windows[0].end == config.lookback and windows[-1].end == len(series)
    steps = {s for w in windows for s in range(w.end - config.lookback, w.end)}
    assert steps == set(range(len(series)))
    short = healthy_series(0, 0, max(2, config.lookback // 2))
    assert [w.end for w in covering(config, short, 0)] == [len(short)]


def test_own_series_are_read_with_their_labels(config, tmp_path):
    rows = [f"{t},{t % 9},{'' if t == 4 else t},{int(t == 195)}" for t in range(200)]
    (tmp_path / "own.csv").write_text("\n".join(["n,a,b,label", *rows]) + "\n", encoding="utf-8")
    config = replace(config, data=str(tmp_path / "own.csv"))
    prepare(config)
    corpus = Corpus(config)
    assert corpus.judged[0].columns == ("n", "a", "b") and corpus.judged[0].labels.sum() == 3
    assert not all(b["known"].all() for b in (corpus.train_batch(s, range(8)) for s in range(9)))
    with pytest.raises(ValueError, match="too few"):
        prepare(replace(config, data=write_short(tmp_path)))


def write_short(folder):
    path = folder / "short.csv"
    path.write_text("a\n1\n2\n3\n", encoding="utf-8")
    return str(path)
