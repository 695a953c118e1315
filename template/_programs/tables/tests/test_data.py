"""Tables come from a file or are built in; what their columns mean comes from the training rows."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from PACKAGE import build_model
from PACKAGE.columns import Columns, is_numeric
from PACKAGE.data import Corpus, prepare


def rows_of(config, count=40):
    """A column of numbers with gaps, perhaps one of words, and what is to be predicted."""
    rows = []
    for i in range(count):
        row = {"size": "NA" if i % 7 == 0 else str(10 + i)}
        if config.categorical:
            row["colour"] = ("red", "green", "")[i % 3]
        if config.gives_label or config.gives_embedding:
            row["kind"] = "ab"[i % 2]
        if config.gives_value:
            row |= {f"worth {n}": str(100 * i + n) for n in range(config.num_targets)}
        rows.append(row)
    return rows


def write(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return str(path)


def test_a_table_is_read_from_a_file(config, tmp_path):
    data = write(tmp_path / "rows.csv", rows_of(config))
    config = replace(config, data=data, val_fraction=0.2)
    prepare(config)
    corpus = Corpus(config)
    assert (len(corpus.train["numbers"]), len(corpus.val_rows)) == (32, 8)
    assert [column.name for column in corpus.columns.numbers] == ["size"]
    if config.categorical:
        assert set(corpus.columns.words[0].words) <= {"green", "red"}
    batch = corpus.train_batch(0, range(4))
    assert batch["absent"][:, 1:].all()  # columns that the table lacks
    assert torch.isfinite(build_model(config).loss(batch))
    saved = Columns.load(Path(config.run_dir) / "columns.json")
    assert saved == corpus.columns


def test_numbers_are_standardised_and_gaps_are_marked(config):
    corpus = Corpus(config)
    numbers, absent = corpus.train["numbers"], corpus.train["absent"]
    there = numbers[:, 0][~absent[:, 0]]
    assert abs(there.mean()) < 0.05 and abs(there.std() - 1) < 0.05
    assert 0.01 < absent[:, 0].float().mean() < 0.2


def test_an_unknown_word_counts_as_missing(config):
    columns = Corpus(config).columns
    if config.categorical:
        name = columns.words[0].name
        read = columns.inputs([{name: "never seen"}, {name: columns.words[0].words[0]}], config)
        assert read["words"][:, 0].tolist() == [0, 1]
    read = columns.inputs([{}], config)
    assert read["absent"].all()


def test_types_are_inferred():
    rows = [{"a": "1", "b": "1"}, {"a": " 2.5e3", "b": "x"}, {"a": "", "b": "2"}]
    assert is_numeric("a", rows) and not is_numeric("b", rows)


def test_too_many_columns_are_refused(config, tmp_path):
    more = {f"n{i}": "1" for i in range(config.num_numeric + 1)}
    data = write(tmp_path / "rows.csv", [more | row for row in rows_of(config)])
    with pytest.raises(ValueError, match="--num-numeric"):
        prepare(replace(config, data=data))


def test_unknown_targets_are_refused(config, tmp_path):
    data = write(tmp_path / "rows.csv", rows_of(config))
    with pytest.raises(ValueError, match="--target"):
        prepare(replace(config, data=data, target="nowhere"))


def test_a_file_that_is_not_there_is_refused(config):
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data="nowhere.csv"))
