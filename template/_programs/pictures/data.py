"""Pictures as tensors, with everything that making them needs, as functions of seed and step.

`prepare` lists the pictures (built in, files, or a Hugging Face dataset), holds out a share of them
and writes `<run_dir>/corpus/`. Noise, its levels and what is left out come with the batch: they
follow from the seed, the step and the row, so training resumes exactly and does not depend on how
many processes share a batch.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from .config import Config
from .corpus import empty_corpus, fingerprint, read_record, write_record
from .pictures import read_picture, to_tensor
from .reading import files_at
from .records import Record, read_records
from .samples import corrupted, synthetic_batch
from .synthetic import SCENES, draw, scene

__all__ = ["Corpus", "prepare", "synthetic_batch"]

BUILT_IN = "scene/"  # before the number of a picture that is drawn when it is needed
GOLDEN = 0.618_033_988_75  # whose multiples spread evenly between whole numbers


class Corpus:
    """Training and held-out pictures, and what is told of each."""

    def __init__(self, config: Config):
        self.config, record = config, read_record(config)
        self.train, self.val, self.names = record["train"], record["val"], record["names"]
        if config.condition == "text":
            from .tokenizer import load_tokenizer

            self.tokenizer = load_tokenizer(config)
        for name, records in (("training", self.train), ("held-out", self.val)):
            if not records:
                raise ValueError(f'--data "{config.data}" leaves no {name} pictures: too few')

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Pictures `rows` of the step's global batch."""
        config = self.config
        chosen = Random(f"{config.seed}/batch/{step}").choices(self.train, k=config.global_batch)
        seeds = [f"{config.seed}/{step}/{row}" for row in rows]
        batch = self.stack([chosen[row] for row in rows], seeds)
        if config.space == "latent":
            if step >= config.autoencoder_steps:  # from here on the autoencoder stays as it is
                del batch["posterior_noise"]
        return batch

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out pictures in order, at most `limit`, each at the same noise every time.

        Their levels of noise are spread evenly, and nothing is left out.
        """
        records = self.val[:limit]
        for first in range(0, len(records), batch_size):
            part = records[first : first + batch_size]
            numbers = range(first, first + len(part))
            batch = self.stack(part, [f"{self.config.seed}/held out/{i}" for i in numbers])
            batch["quantiles"] = torch.tensor([(i + 1) * GOLDEN % 1 for i in numbers])
            if self.config.condition != "none":
                batch["dropped"] = torch.zeros(len(part), dtype=torch.bool)
            if self.config.space == "latent":
                del batch["posterior_noise"]
            yield batch

    def stack(self, records: Sequence[Record], seeds: Sequence[str]) -> dict[str, Tensor]:
        """Records as a batch, with the noise of these seeds; see `samples` for what is in it."""
        config = self.config
        batch = {"images": to_tensor([load_picture(r["image"], config) for r in records])}
        if config.image_condition == "picture":
            batch["pictures"] = to_tensor([load_picture(r["source"], config) for r in records])
        if config.condition == "text":
            batch["tokens"] = self.tokens([record["text"] for record in records])
        if config.condition == "class":
            labels = [self.names.index(record["label"]) for record in records]
            batch["labels"] = torch.tensor(labels)
        return corrupted(batch, seeds, config)

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """Texts as token ids, (B, S)."""
        from .prompts import encode

        return encode(texts, self.tokenizer, self.config)


def load_picture(name: str, config: Config) -> np.ndarray:
    """The picture called `name`, (size, size, channels) bytes."""
    size, channels = config.image_size, config.channels
    if not name.startswith(BUILT_IN):
        return read_picture(Path(name), size, channels)
    _, number, *how = name.split("/")
    if config.condition == "class":
        shown = scene(config.seed, int(number), config.num_classes)
    else:
        shown = scene(config.seed, int(number))
    if config.condition == "text":
        return draw(shown, size, channels, colour=shown.before if how else "")
    else:
        return draw(shown, size, channels, outline=bool(how))


def built_in(config: Config) -> Iterator[Record]:
    """The built-in pictures, as records."""
    for number in range(SCENES):
        record = {"image": f"{BUILT_IN}{number}"}
        if config.condition == "class":
            record["label"] = scene(config.seed, number, config.num_classes).name
        if config.condition == "text":
            shown = scene(config.seed, number)
            if config.image_condition == "picture":
                record["text"] = f"make it {shown.name.split()[0]}"
            else:
                record["text"] = f"a {shown.name}"
        if config.image_condition == "picture":
            record["source"] = f"{BUILT_IN}{number}/before"
        yield record


def prepare(config: Config) -> None:
    """Write the corpus of `config` to its run folder, unless it is there already."""
    source = fingerprint(config, files_at(config.data), "num_classes", "vocab_size")
    if read_record(config).get("source") == source:
        return
    folder = empty_corpus(config)
    record = {"source": source, "names": [], "train": [], "val": []}
    rng = Random(f"{config.seed}/split")
    for entry in read_records(config, folder / "pictures") if config.data else built_in(config):
        record["val" if rng.random() < config.val_fraction else "train"].append(entry)
    if not record["train"]:
        raise ValueError(f'--data "{config.data}": no pictures there, or nothing told of them')
    if config.condition == "class":
        names = {entry["label"] for entry in record["train"] + record["val"]}
        record["names"] = sorted(names)
        if len(names) > config.num_classes:
            message = f"--num-classes is {config.num_classes}; there are {len(names)} classes"
            raise ValueError(message)
    if config.bpe:
        from .bpe import learn_tokens

        learn_tokens((entry["text"] for entry in record["train"]), config)
    write_record(config, record)
