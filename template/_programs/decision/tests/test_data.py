"""Recorded episodes: returns to go, stretches, and tables."""

import sys
from dataclasses import replace

import pytest
import torch
from helpers import rows_of

from PACKAGE import infer
from PACKAGE.data import Corpus
from PACKAGE.episodes import Episode, read_episodes


def test_returns_are_what_is_still_to_come():
    rewards = torch.tensor([1.0, 2.0, 3.0])
    assert Episode(torch.zeros(3, 1), torch.zeros(3), rewards).returns.tolist() == [6, 5, 3]


def test_a_batch_follows_from_the_step(config):
    corpus, again = Corpus(config), Corpus(config)
    whole, part = corpus.train_batch(3, range(8)), again.train_batch(3, range(4, 8))
    assert all(torch.equal(whole[name][4:], part[name]) for name in whole)
    assert whole["states"].shape == (8, config.context_steps, config.state_dim)
    assert whole["known"][:, 0].all()


def test_beyond_the_end_nothing_is_known(config):
    corpus = Corpus(config)
    episode = corpus.train[0]
    row = corpus.stretch(episode, len(episode) - 2)
    assert row["known"].tolist() == [True, True] + [False] * (config.context_steps - 2)
    assert row["returns"][1] * corpus.returns.scale == pytest.approx(episode.rewards[-1].item())


def test_the_table_of_an_episode_can_be_learned_from(config, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["infer", "--device", "cpu"])
    infer.main()
    table = tmp_path / "results" / "episode.csv"
    (episode,) = read_episodes(replace(config, data=str(table)))
    rows = rows_of(table)
    assert len(episode) == len(rows) and episode.states.size(1) == config.state_dim
    table.write_text("step,reward\n0,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="observation_0"):
        read_episodes(replace(config, data=str(table)))
    with pytest.raises(ValueError, match="--data"):
        read_episodes(replace(config, data="nowhere.csv"))
