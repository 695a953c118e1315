"""Series of every source arrive alike, and batches depend on the seed and the step alone."""

from dataclasses import replace

import pytest
import torch

from PACKAGE.data import Corpus, class_names, prepare


@pytest.fixture
def folder(tmp_path):
    """Forty tables of two variables and several lengths, in two folders."""
    for name in ("calm", "wild"):
        (tmp_path / "tables" / name).mkdir(parents=True)
        for i in range(20):
            rows = ["a,b", *(f"{t},{'' if t == 3 else t % 5}" for t in range(9 + i))]
            (tmp_path / "tables" / name / f"{i}.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "tables"


def test_a_batch_depends_on_seed_and_step_alone(config):
    corpus, again = Corpus(config), Corpus(config)
    batch, part = corpus.train_batch(5, range(8)), again.train_batch(5, range(4, 8))
    assert batch["values"].shape == (8, config.lookback, config.num_variables)
    assert all(torch.equal(batch[name][4:], part[name]) for name in batch)
    assert not torch.equal(batch["values"], corpus.train_batch(6, range(8))["values"])
    assert set(corpus.train).isdisjoint(corpus.val)


def test_folders_name_classes(config, folder):
    config = replace(config, data=str(folder), val_fraction=0.3)
    prepare(config)
    assert class_names(config)[:2] == ["calm", "wild"]
    batch = next(Corpus(config).val_batches(4))
    assert batch["values"].shape[1:] == (config.lookback, 2)
    assert not batch["known"][:, 0].any() and batch["known"][:, -1].all()


def test_rows_begin_with_their_label(config, tmp_path):
    rows = ["label,0,1,2", *(f"{'up' if i % 2 else 'down'},{i},,{2 * i}" for i in range(40))]
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    config = replace(config, data=str(tmp_path / "rows.csv"), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert corpus.names == ["down", "up"] and len(corpus.own) == 40
    assert corpus.stack([3])["known"][0, -3:, 0].tolist() == [True, False, True]


def test_unusable_data_is_refused(config, folder, tmp_path):
    for name, text in (("nowhere", ""), ("words.csv", "a,1\nb,x\n"), ("empty.csv", "")):
        if text or name == "empty.csv":
            (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="--data"):
            prepare(replace(config, data=str(tmp_path / name)))
    (folder / "calm" / "odd.csv").write_text("a\n1\n2\n3\n", encoding="utf-8")
    with pytest.raises(ValueError, match="as many variables"):
        prepare(replace(config, data=str(folder)))
