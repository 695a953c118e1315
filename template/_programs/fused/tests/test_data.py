"""Samples are read from tables, and batches depend on the seed and the step alone."""

import json
import struct
import wave
import zlib
from dataclasses import replace

import pytest
import torch

from PACKAGE.data import Corpus, built_in, inputs_of, outputs_of, prepare


def write_picture(path, shade):
    """A grey PNG of 12 by 12 pixels."""

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    pixels = zlib.compress((b"\0" + bytes([shade] * 12)) * 12)
    header = struct.pack(">IIBBBBB", 12, 12, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def write_sound(path, pitch):
    """A tenth of a second of a rectangular wave, 8 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(bytes(200 if i // pitch % 2 else 56 for i in range(800)))


@pytest.fixture
def table(tmp_path):
    """Sixteen samples with every column."""
    rows = []
    for i in range(16):
        write_picture(tmp_path / f"{i}.png", 15 * i)
        write_sound(tmp_path / f"{i}.wav", 3 + i)
        kind = "even" if i % 2 == 0 else "odd"
        row = {"text": f"sample {i}", "image": f"{i}.png", "audio": f"{i}.wav"}
        rows.append(row | {"label": kind, "value": 2.5 * i})
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
    assert all(torch.equal(torch.cat([h[n] for h in halves]), batch[n]) for n in batch)


def test_samples_have_what_is_read_and_given(config):
    row = built_in(7, config)
    assert set(outputs_of(config)) <= row.keys()
    assert row == built_in(7, config)


def test_tables_become_samples(config, table):
    config = replace(config, data=str(table), val_fraction=0.3)
    prepare(config)
    corpus = Corpus(config)
    assert len(corpus.train) + len(corpus.val) == 16
    batch = corpus.train_batch(0, range(4))
    assert all(tensor.isfinite().all() for tensor in batch.values())
    assert len(batch) == len(inputs_of(config)) + len(outputs_of(config))


def test_unusable_data_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match="--data"):
        prepare(replace(config, data=str(tmp_path / "nowhere")))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="a row has no"):
        prepare(replace(config, data=str(tmp_path / "bad.csv")))
