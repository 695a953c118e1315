"""Interactions come from files or are built in, and what is held out is never learned."""

from dataclasses import replace

import pytest
import torch

from PACKAGE import build_model
from PACKAGE.data import Corpus, prepare
from PACKAGE.features import item_features
from PACKAGE.measures import popularity


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_interactions_are_read_in_order_of_time(config, tmp_path):
    lines = ["user,item,timestamp"]
    lines += [f"u{u},i{(u + t) % 6},{10 - t}" for u in range(4) for t in range(4)]
    data = write(tmp_path / "had.csv", lines)
    told = write(tmp_path / "items.csv", ["name,title,price", "i0,The first one,3", "i7,new,9"])
    config = replace(config, data=data, items=told, val_fraction=0.5)
    prepare(config)
    corpus = Corpus(config)
    assert len(corpus.val) == 2 and "i7" in corpus.items
    user, item = corpus.val[0]
    assert corpus.items[item] == f"i{user}"  # the smallest t has the largest timestamp
    assert item not in corpus.had[user]
    batch = corpus.train_batch(0, range(8))
    assert torch.isfinite(build_model(config).loss(batch))


def test_what_is_held_out_is_never_learned(config):
    corpus = Corpus(config)
    held_out = set(corpus.val)
    for step in range(3):
        batch = corpus.train_batch(step, range(8))
        pairs = zip(batch["users"].tolist(), batch["items"].tolist(), strict=True)
        assert held_out.isdisjoint(pairs)
        assert not (batch["history"] == batch["items"][:, None])[batch["held"]].any()
    assert corpus.counts.sum() == len(corpus.pairs)


def test_features_are_hashed_and_numbers_count(config):
    told = {"a": {"kind": "red", "price": "1"}, "b": {"kind": "blue", "price": "3"}}
    rows, weights = item_features(["a", "b", "unknown"], told, config)
    assert rows.max() < config.feature_rows
    assert not weights[2].any()
    assert weights[0, 0] > 0 and weights[0, 1] == -weights[1, 1]
    assert rows[0, 1] == rows[1, 1]


def test_popularity_ranks_by_counts(config):
    found = popularity(Corpus(config))
    assert 0 < found.measures["nDCG@10"] <= found.measures["recall@10"] < 1


@pytest.mark.parametrize(
    ("lines", "words"),
    [(["user,thing", "a,b"], "item"), (["user,item"], "no rows")],
    ids=str,
)
def test_files_that_say_nothing_are_refused(lines, words, config, tmp_path):
    data = write(tmp_path / "had.csv", lines)
    with pytest.raises(ValueError, match=words):
        prepare(replace(config, data=data))


def test_too_many_users_are_refused(config, tmp_path):
    lines = ["user,item", *(f"u{i},i{i % 3}" for i in range(config.num_users + 1))]
    data = write(tmp_path / "had.csv", lines)
    with pytest.raises(ValueError, match="--num-users"):
        prepare(replace(config, data=data))
