"""Samples as tensors: listed once, with batches that are functions of the step.

Without `--data` the samples are built in. `--data` takes a CSV or JSONL file with one row for each
sample and a column for each input and output: `text`, `image` and `audio` (paths from the file's
own folder), `label`, `value`, and `group`, whose equal members get similar embeddings (without it,
the label's). A model reads the columns of its own inputs and outputs and no others. `prepare`
writes `<run_dir>/corpus/`; the batch of a step follows from (seed, step), so training resumes
exactly and does not depend on how many processes share a batch.
"""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from . import synthetic
from .batches import Batches
from .config import Config
from .corpus import empty_corpus, fingerprint, read_record, write_record
from .outputs import outputs_of, random_targets
from .reading import files_at, table_rows

BUILT_IN = 8_000  # samples of the built-in data
Row = dict[str, Any]


class Corpus(Batches):
    """Training and held-out samples; `mean` and `deviation` are those of the training values."""

    def __init__(self, config: Config):
        record = read_record(config)
        super().__init__(config, record["train"], record["val"])
        self.classes, self.groups = record["classes"], record["groups"]
        self.mean, self.deviation = record["mean"], record["deviation"]

    def stack(self, rows: list[Row]) -> dict[str, Tensor]:
        """Samples as a batch, inputs and targets."""
        return self.inputs(rows) | self.targets(rows)

    def inputs(self, rows: list[Row]) -> dict[str, Tensor]:
        """What the model reads of samples."""
        batch = {}
        for name in inputs_of(self.config):
            batch |= reader(name).read(rows, self.config)
        return batch

    def targets(self, rows: list[Row]) -> dict[str, Tensor]:
        """What the model should give for samples; values are in deviations from their mean."""
        batch = {}
        if self.config.gives_label:
            batch["labels"] = torch.tensor([self.classes.index(row["label"]) for row in rows])
        if self.config.gives_value:
            values = torch.tensor([float(row["value"]) for row in rows])
            batch["values"] = (values - self.mean) / self.deviation  # (B,)
        if self.config.gives_embedding:
            batch["groups"] = torch.tensor([self.groups.index(row["group"]) for row in rows])
        return batch


def reader(name: str) -> ModuleType:
    """The module that reads an input: `read_text`, `read_image` or `read_audio`."""
    return import_module(f".read_{name}", __package__)


def inputs_of(config: Config) -> tuple[str, ...]:
    """The columns that are read."""
    names = []
    if config.reads_text:
        names.append("text")
    if config.reads_image:
        names.append("image")
    if config.reads_audio:
        names.append("audio")
    return tuple(names)


def prepare(config: Config) -> None:
    """Write the corpus of `config` to its run folder, unless it is there already."""
    source = fingerprint(config, files_at(config.data), "vocab_size", "num_classes")
    if read_record(config).get("source") == source:
        return
    empty_corpus(config)
    parts: dict[str, list[Row]] = {"train": [], "val": []}
    rng = Random(f"{config.seed}/split")
    for row in records(config):
        parts["val" if rng.random() < config.val_fraction else "train"].append(row)
    if min(map(len, parts.values())) < 2:
        raise ValueError(f'--data "{config.data}": too few samples to train on and to hold out')
    rows = parts["train"] + parts["val"]
    record = {"source": source, **parts, "mean": 0.0, "deviation": 1.0, "classes": []}
    record["groups"] = sorted({row["group"] for row in rows if "group" in row})
    if config.gives_label:
        found = sorted({row["label"] for row in rows})
        record["classes"] = found if config.data else synthetic.class_names(config)
        if len(found) > config.num_classes:
            excess = f"--data has {len(found)} classes; --num-classes is {config.num_classes}"
            raise ValueError(excess)
    if config.gives_value:
        values = [float(row["value"]) for row in parts["train"]]
        mean = sum(values) / len(values)
        record["mean"] = mean
        spread = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
        record["deviation"] = spread or 1.0
    if config.bpe:
        from .bpe import learn_tokens

        learn_tokens((row["text"] for row in parts["train"]), config)
    write_record(config, record)


def records(config: Config) -> Iterator[Row]:
    """The samples that `--data` names; without it the built-in ones, in an order of the seed's."""
    if config.data:
        yield from read_table(Path(config.data), (*inputs_of(config), *outputs_of(config)))
    else:
        for number in Random(f"{config.seed}/order").sample(range(BUILT_IN), BUILT_IN):
            yield built_in(number, config)


def built_in(number: int, config: Config) -> Row:
    """What a built-in sample says and means; pictures and sounds are made when they are needed."""
    known = synthetic.facts(number)
    row: Row = {"number": number, "group": synthetic.answer(known, config)}
    if config.reads_text:
        row["text"] = synthetic.question(known, config)
    if config.gives_label:
        place = synthetic.answers(config).index(row["group"]) % config.num_classes
        row["label"] = synthetic.class_names(config)[place]
    if config.gives_value:
        row["value"] = synthetic.count(known, config)
    return row


def read_table(path: Path, columns: Iterable[str]) -> Iterator[Row]:
    """The rows of a CSV or JSONL file, with paths made whole; `columns` must be there."""
    if not path.is_file() or path.suffix.lower() not in (".csv", ".jsonl"):
        raise ValueError(f'--data "{path}" is neither a CSV nor a JSONL file')
    for row in table_rows(path):
        row = {name: value for name, value in row.items() if value not in (None, "")}
        if "group" not in row and "label" in row:
            row["group"] = row["label"]
        missing = [name for name in columns if name not in row]
        if missing:
            raise ValueError(f'--data "{path}": a row has no {" and no ".join(missing)}')
        words = {n: str(row[n]) for n in ("text", "label", "value", "group") if n in row}
        files = {n: str(path.parent / row[n]) for n in ("image", "audio") if n in row}
        yield words | files


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random inputs and targets in the shapes of a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    batch = {}
    if config.reads_text:
        shape = (batch_size, config.context_length)
        batch["tokens"] = torch.randint(config.vocab_size, shape, generator=generator)
    if config.reads_image:
        shape = (batch_size, config.channels, config.image_size, config.image_size)
        batch["images"] = torch.rand(shape, generator=generator) * 2 - 1
    if config.reads_audio:
        samples = config.n_frames * round(config.sample_rate / 100)
        noise = torch.randn(batch_size, samples, generator=generator)
        batch["waveform"] = (noise / 4).clamp(-1, 1)
    return batch | random_targets(config, batch_size, generator)
