"""Questions are read from the usual files, and batches depend on the seed and the step alone."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from PACKAGE.data import Corpus, prepare
from PACKAGE.model import IGNORED
from PACKAGE.samples import DESCRIBE, question_of, text_length


def test_a_batch_depends_on_seed_and_step_alone(config, corpus):
    batch = corpus.train_batch(5, range(8))
    side = config.image_size
    assert batch["images"].shape == (8, config.channels, side, side)
    assert batch["tokens"].shape == batch["labels"].shape == (8, text_length(config))
    again, later = Corpus(config).train_batch(5, range(8)), corpus.train_batch(6, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert not torch.equal(batch["tokens"], later["tokens"])


def test_the_labels_are_the_answers(corpus):
    samples = corpus.train[:20]
    for sample, labels in zip(samples, corpus.stack(samples)["labels"], strict=True):
        said = [token for token in labels.tolist() if token != IGNORED]
        assert said[-1] == corpus.tokenizer.end
        assert corpus.tokenizer.decode(said) == sample["text"]


def test_files_become_questions(config, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    rows = []
    for i in range(12):
        Image.new("RGB", (40, 30), (20 * i, 0, 90)).save(folder / f"{i}.png")
        rows.append({"image": f"{i}.png", "question": f"which? {i}", "answer": f"number {i}"})
    del rows[0]["question"]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    config = replace(config, data=str(folder), val_fraction=0.4)
    prepare(config)
    corpus = Corpus(config)
    asked = {question_of(sample) for sample in corpus.train + corpus.val}
    assert len(asked) == 12 and DESCRIBE in asked
    assert corpus.train_batch(0, range(4))["images"].isfinite().all()


def test_unusable_data_is_refused(config, tmp_path):
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path / "bad.csv")))
