"""Samples are read from tables, and batches depend on the seed and the step alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from PACKAGE.data import Corpus, inputs_of, outputs_of, prepare, read_table

CELLS = {
    "text": lambda i, config, folder: f"sample {i}",
    "image": lambda i, config, folder: picture(folder / f"{i}.png", 9 * i),
    "segmentation_mask": lambda i, config, folder: picture(folder / f"m{i}.png", i % 2),
    "audio": lambda i, config, folder: sound(folder / f"{i}.wav", 3 + i),
    "video": lambda i, config, folder: clip(folder / f"{i}.npy", 9 * i),
    "time_series": lambda i, config, folder: [[0.1 * i + t] * config.num_variables
                                              for t in range(20)],
    "tabular": lambda i, config, folder: [0.5 * i] * config.num_features,
    "state": lambda i, config, folder: [1.5 * i] * config.state_dim,
    "value": lambda i, config, folder: [2.5 * i] * config.num_targets,
    "3d": lambda i, config, folder: [[i, 0, 1], [0, i, 1], [1, 1, i]],
    "graph": lambda i, config, folder: {"nodes": [[i] * config.node_features] * 3,
                                        "edges": [[0, 1], [1, 2]]},
    "label": lambda i, config, folder: f"kind {i % 2}",
    "embedding": lambda i, config, folder: f"group {i % 2}",
    "bounding_boxes": lambda i, config, folder: [[0.5, 0.5, 0.2, 0.03 * (i + 1)]],
}  # fmt: skip


def picture(path, shade):
    """A grey PNG of 12 by 12 pixels."""
    from PIL import Image

    Image.new("L", (12, 12), shade).save(path)
    return path.name


def sound(path, pitch):
    """A tenth of a second of a rectangular wave, 8 kHz."""
    import wave

    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(bytes(200 if i // pitch % 2 else 56 for i in range(800)))
    return path.name


def clip(path, shade):
    """Three grey frames of 12 by 12 pixels."""
    np.save(path, np.full((3, 12, 12, 3), shade, dtype=np.uint8))
    return path.name


def cell(name, i, config, folder):
    """What a table says about a modality of a sample."""
    if config.gives_action:
        if name == "action":
            return f"move {i % 2}" if config.actions == "discrete" else [0.1 * i] * width(config)
    return CELLS[name](i, config, folder)


def width(config):
    """The numbers of a continuous action."""
    if config.gives_action:
        if config.actions == "continuous":
            return config.action_dim
    return 0


@pytest.fixture
def table(tmp_path, config):
    """Sixteen samples with a column for each input and output."""
    columns = {name: name for name in inputs_of(config)}
    columns |= {column: name for name, column in outputs_of(config).items()}
    rows = [
        {column: cell(name, i, config, tmp_path) for column, name in columns.items()}
        for i in range(16)
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_a_batch_depends_on_seed_and_step_alone(config):
    prepare(config)
    corpus = Corpus(config)
    batch, again = corpus.train_batch(5, range(8)), Corpus(config).train_batch(5, range(8))
    later = corpus.train_batch(6, range(8))
    assert all(len(tensor) == 8 for tensor in batch.values())
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert any(not torch.equal(batch[name], later[name]) for name in batch)
    halves = [corpus.train_batch(5, rows) for rows in (range(4), range(4, 8))]
    for name in batch:
        if not name.endswith("edges"):  # filled to the most of their batch
            assert torch.equal(torch.cat([half[name] for half in halves]), batch[name])


def test_tables_become_samples(config, table):
    config = replace(config, data=str(table), val_fraction=0.3)
    if "horizon" in vars(config):
        config = replace(config, horizon=min(20, config.horizon))
    prepare(config)
    corpus = Corpus(config)
    assert len(corpus.train) + len(corpus.val) == 16
    batch = corpus.train_batch(0, range(4))
    assert all(tensor.isfinite().all() for tensor in batch.values())
    assert list(read_table(table, inputs_of(config)))[3].keys() == set(inputs_of(config))


def test_unusable_data_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path / "nowhere")))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="a row has no"):
        prepare(replace(config, data=str(tmp_path / "bad.csv")))
