"""Samples as tensors: listed once, with batches that are functions of the step.

Without `--data` the samples are built in. `--data` takes a CSV or JSONL file with one row for each
sample and a column for each input and output, named by its modality; an output of a modality that
is also read is `target_<modality>`. Texts and words stand in their cells, numbers too or in a file
(CSV, .npy); pictures, masks, sounds, clips and clouds are files, paths from the table's own
folder; boxes are lists of [centre x, centre y, width, height]; a graph is a JSON object of `nodes`
and `edges`; embeddings of samples with equal words in the column `embedding` become similar.
`prepare` writes `<run_dir>/corpus/`; the batch of a step follows from (seed, step), so training
resumes exactly and does not depend on how many processes share a batch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields
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
from .reading import files_at, table_rows

BUILT_IN = 8_000  # samples of the built-in data
IDLE = ("run_dir", "device", "steps", "micro_batch", "global_batch")  # for the corpus
LEARNED_FROM = 512  # training samples that scales are learned from
KINDS = {
    "3d": "points",
    "time_series": "series",
    "bounding_boxes": "boxes",
    "segmentation_mask": "mask",
    "tabular": "numbers",
    "state": "numbers",
    "value": "numbers",
    "label": "words",
    "embedding": "words",
}
Row = dict[str, Any]


class Corpus(Batches):
    """Training and held-out samples; `notes` say of each column what was learned about it."""

    def __init__(self, config: Config):
        record = read_record(config)
        super().__init__(config, record["train"], record["val"])
        self.notes = record["notes"]

    def stack(self, rows: list[Row]) -> dict[str, Tensor]:
        """Samples as a batch, inputs and targets."""
        return self.inputs(rows) | self.targets(rows)

    def inputs(self, rows: list[Row]) -> dict[str, Tensor]:
        """What the model reads of samples."""
        batch = {}
        for name in inputs_of(self.config):
            raws = [raw(row, name, name, self.config, answer=False) for row in rows]
            batch |= kind(name, self.config).stack(name, raws, self.notes[name], self.config, False)
        return batch

    def targets(self, rows: list[Row]) -> dict[str, Tensor]:
        """What the model should give for samples; every key begins with `target_`."""
        batch = {}
        for name, column in outputs_of(self.config).items():
            raws = [raw(row, name, column, self.config, answer=True) for row in rows]
            note = self.notes[column]
            found = kind(name, self.config).stack(name, raws, note, self.config, True)
            batch |= {f"target_{key}": tensor for key, tensor in found.items()}
        return batch


def kind(name: str, config: Config) -> ModuleType:
    """The module that makes, reads and writes a modality."""
    module = KINDS.get(name, name)
    if config.gives_action:
        if name == "action":
            module = "words" if config.actions == "discrete" else "numbers"
    return import_module(f".kind_{module}", __package__)


def raw(row: Row, name: str, column: str, config: Config, answer: bool) -> Any:
    """One modality of a sample, not yet part of a batch."""
    if "number" in row:
        known = synthetic.concept(row["number"])
        return kind(name, config).make(name, known, config, answer)
    return kind(name, config).load(name, row[column], config, answer)


def inputs_of(config: Config) -> tuple[str, ...]:
    """The modalities that are read, which are their columns too."""
    names = []
    if config.reads_text:
        names.append("text")
    if config.reads_image:
        names.append("image")
    if config.reads_audio:
        names.append("audio")
    if config.reads_video:
        names.append("video")
    if config.reads_time_series:
        names.append("time_series")
    if config.reads_tabular:
        names.append("tabular")
    if config.reads_state:
        names.append("state")
    if config.reads_3d:
        names.append("3d")
    if config.reads_graph:
        names.append("graph")
    return tuple(names)


def outputs_of(config: Config) -> dict[str, str]:
    """The modalities that are given, and their columns."""
    names = []
    if config.gives_text:
        names.append("text")
    if config.gives_label:
        names.append("label")
    if config.gives_action:
        names.append("action")
    if config.gives_value:
        names.append("value")
    if config.gives_tabular:
        names.append("tabular")
    if config.gives_state:
        names.append("state")
    if config.gives_embedding:
        names.append("embedding")
    if config.gives_time_series:
        names.append("time_series")
    if config.gives_bounding_boxes:
        names.append("bounding_boxes")
    if config.gives_3d:
        names.append("3d")
    if config.gives_graph:
        names.append("graph")
    if config.gives_image:
        names.append("image")
    if config.gives_segmentation_mask:
        names.append("segmentation_mask")
    if config.gives_audio:
        names.append("audio")
    if config.gives_video:
        names.append("video")
    read = inputs_of(config)
    return {name: f"target_{name}" if name in read else name for name in names}


def prepare(config: Config) -> None:
    """Write the corpus of `config` to its run folder, unless it is there already."""
    deciding = (field.name for field in fields(config) if field.name not in IDLE)
    source = fingerprint(config, files_at(config.data), *deciding)
    if read_record(config).get("source") == source:
        return
    empty_corpus(config)
    parts: dict[str, list[Row]] = {"train": [], "val": []}
    rng = Random(f"{config.seed}/split")
    for row in records(config):
        parts["val" if rng.random() < config.val_fraction else "train"].append(row)
    if min(map(len, parts.values())) < 2:
        raise ValueError(f'--data "{config.data}": too few samples to train on and to hold out')
    record = {"source": source, **parts, "notes": notes(config, **parts)}
    write_record(config, record)


def notes(config: Config, train: list[Row], val: list[Row]) -> dict[str, Any]:
    """What is learned about each column: scales of numbers, lists of words, a tokenizer."""
    columns = [(name, name, False) for name in inputs_of(config)]
    columns += [(name, column, True) for name, column in outputs_of(config).items()]
    found = {}
    for name, column, answer in columns:
        module = kind(name, config)
        rows = train[:LEARNED_FROM]
        if module.__name__.endswith("words"):
            rows = train + val
        raws = [raw(row, name, column, config, answer) for row in rows]
        found[column] = module.learn(name, raws, config)
    if config.bpe:
        from .bpe import learn_tokens

        texts = [(column, answer) for name, column, answer in columns if name == "text"]
        learn_tokens((raw(row, "text", c, config, a) for c, a in texts for row in train), config)
    return found


def records(config: Config) -> Iterator[Row]:
    """The samples that `--data` names; without it the built-in ones, in an order of the seed's."""
    if config.data:
        columns = (*inputs_of(config), *outputs_of(config).values())
        yield from read_table(Path(config.data), columns)
    else:
        for number in Random(f"{config.seed}/order").sample(range(BUILT_IN), BUILT_IN):
            yield {"number": number}


def read_table(path: Path, columns: Iterable[str]) -> Iterator[Row]:
    """The rows of a CSV or JSONL file, with paths made whole; `columns` must be there."""
    if not path.is_file() or path.suffix.lower() not in (".csv", ".jsonl"):
        raise ValueError(f'--data "{path}" is neither a CSV nor a JSONL file')
    columns = tuple(columns)
    for row in table_rows(path):
        missing = [name for name in columns if row.get(name) in (None, "")]
        if missing:
            raise ValueError(f'--data "{path}": a row has no {" and no ".join(missing)}')
        yield {name: whole(row[name], path.parent) for name in columns}


def whole(cell: Any, folder: Path) -> Any:
    """A cell; where it names a file or folder beside the table, the path from here."""
    named = isinstance(cell, str) and 0 < len(cell) < 256 and "\n" not in cell
    return str(folder / cell) if named and (folder / cell).exists() else cell


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random inputs and targets in the shapes of a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    batch = {}
    for name in inputs_of(config):
        batch |= random_tensors(name, config, batch_size, generator, answer=False)
    for name in outputs_of(config):
        found = random_tensors(name, config, batch_size, generator, answer=True)
        batch |= {f"target_{key}": tensor for key, tensor in found.items()}
    return batch


def random_tensors(
    name: str, config: Config, count: int, generator: torch.Generator, answer: bool
) -> dict[str, Tensor]:
    """What the kind of a modality would stack, at random."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator)

    def below(high: int, *shape: int) -> Tensor:
        return torch.randint(high, (count, *shape), generator=generator)

    found = {}
    if config.reads_text or config.gives_text:
        if name == "text":
            found["tokens"] = below(config.vocab_size, config.context_length + answer)
    if config.reads_image or config.gives_image:
        if name == "image":
            found["image"] = normal(config.channels, config.image_size, config.image_size)
    if config.reads_audio or config.gives_audio:
        if name == "audio":
            samples = config.n_frames * round(config.sample_rate / 100)
            found["audio"] = (normal(samples) / 4).clamp(-1, 1)
    if config.reads_video or config.gives_video:
        if name == "video":
            size = config.image_size
            found["video"] = normal(config.frames, config.channels, size, size)
    if config.reads_time_series:
        if name == "time_series" and not answer:
            found["time_series"] = normal(config.lookback, config.num_variables)
    if config.gives_time_series:
        if name == "time_series" and answer:
            found["time_series"] = normal(config.horizon, config.num_variables)
    if config.reads_tabular or config.gives_tabular:
        if name == "tabular":
            found["tabular"] = normal(config.num_features)
    if config.reads_state or config.gives_state:
        if name == "state":
            found["state"] = normal(config.state_dim)
    if config.reads_3d or config.gives_3d:
        if name == "3d":
            found["points"] = normal(config.num_points, 3)
    if config.reads_graph or config.gives_graph:
        if name == "graph":
            found["nodes"] = normal(config.num_nodes, config.node_features)
            found["present"] = torch.ones(count, config.num_nodes, dtype=torch.bool)
            found["edges"] = below(config.num_nodes, 4 * config.num_nodes, 2)
    if config.gives_label:
        if name == "label":
            found["label"] = below(config.num_classes)
    if config.gives_action:
        if name == "action":
            if config.actions == "discrete":
                found["action"] = below(config.num_actions)
            else:
                found["action"] = normal(config.action_dim)
    if config.gives_value:
        if name == "value":
            found["value"] = normal(config.num_targets)
    if config.gives_embedding:
        if name == "embedding":
            found["embedding"] = torch.arange(count) // 2
    if config.gives_bounding_boxes:
        if name == "bounding_boxes":
            found["boxes"] = normal(config.max_objects, 4)
            found["box_present"] = below(2, config.max_objects).bool()
    if config.gives_segmentation_mask:
        if name == "segmentation_mask":
            found["mask"] = below(config.num_classes, config.image_size, config.image_size)
    return found
