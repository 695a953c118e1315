"""Shapes as tensors, with their noise, in batches that are functions of the step.

Without `--data` the shapes are made as they are read. `--data` takes a folder of OBJ meshes (or PLY
and XYZ points, for models of points), each with a .txt caption of the same name where prompts are
read, a picture of that name where pictures are, and class folders where classes are. The shapes of
a step, and the noise that is added to each, follow from (seed, step, row): training resumes exactly
and does not depend on how many processes share a batch.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from .config import Config
from .forms import form_of
from .model import shape_size
from .sources import Source, find_sources

GOLDEN = 0.6180339887  # its multiples fill the unit interval evenly


class Corpus:
    """Training and held-out shapes."""

    def __init__(self, config: Config):
        self.config = config
        sources = find_sources(config)
        rng = Random(f"{config.seed}/split")
        order = rng.sample(range(len(sources)), len(sources))
        held_out = max(1, round(len(sources) * config.val_fraction))
        self.val = [sources[i] for i in order[:held_out]]
        self.train = [sources[i] for i in sorted(order[held_out:])]
        self.names = sorted({source.label for source in sources})
        if config.reads_text:
            from .tokenizer import load_tokenizer

            self.tokenizer = load_tokenizer(config)

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Shapes `rows` of the step's global batch; see `stack`."""
        config = self.config
        chosen = Random(f"{config.seed}/batch/{step}").choices(self.train, k=config.global_batch)
        seeds = [f"{config.seed}/{step}/{row}" for row in rows]
        return self.stack([chosen[row] for row in rows], seeds)

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out shapes, at most `limit`, each with the same noise every time.

        Their times are spread evenly, and nothing is left out.
        """
        sources = self.val[:limit]
        for first in range(0, len(sources), batch_size):
            part = sources[first : first + batch_size]
            numbers = range(first, first + len(part))
            batch = self.stack(part, [f"held-out/{number}" for number in numbers])
            batch["quantiles"] = torch.tensor([(i + 0.5) * GOLDEN % 1 for i in numbers])
            if self.config.conditioned:
                batch["dropped"] = torch.zeros(len(part), dtype=torch.bool)
            yield batch

    def stack(self, sources: Sequence[Source], seeds: Sequence[str]) -> dict[str, Tensor]:
        """Shapes, (B, G, G, G) or (B, T, 3), what is told of them, and noise of these seeds."""
        pairs = zip(sources, seeds, strict=True)
        batch = {"shapes": torch.stack([form_of(s, self.config, seed) for s, seed in pairs])}
        return batch | self.told(sources) | stacked([noise_of(self.config, s) for s in seeds])

    def told(self, sources: Sequence[Source]) -> dict[str, Tensor]:
        """What is told of shapes: prompts, (B, S), pictures, (B, C, Y, X), and classes, (B,)."""
        told = {}
        if self.config.reads_text:
            from .prompts import encode

            texts = (source.text for source in sources)
            told["tokens"] = encode(texts, self.tokenizer, self.config)
        if self.config.reads_image:
            from .looks import look

            told["pictures"] = torch.stack([look(source, self.config) for source in sources])
        if self.config.labelled:
            told["labels"] = torch.tensor([self.names.index(source.label) for source in sources])
        return told


def stacked(noises: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """What is random about several shapes, as a batch."""
    return {name: torch.stack([noise[name] for noise in noises]) for name in noises[0]}


def noise_of(config: Config, seed: str) -> dict[str, Tensor]:
    """What is random about training on one shape, as a function of the seed.

    `noise` like the shape, the `quantiles` of its time, and whether what is told is `dropped`.
    """
    generator = torch.Generator().manual_seed(Random(seed).getrandbits(63))
    noise = {
        "noise": torch.randn(shape_size(config), generator=generator),
        "quantiles": torch.rand((), generator=generator),
    }
    if config.conditioned:
        noise["dropped"] = torch.rand((), generator=generator) < config.dropout_condition
    return noise


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Noise in the shapes of a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    noises = [noise_of(config, f"synthetic/{seed}/{row}") for row in range(batch_size)]
    shapes = torch.randn(batch_size, *shape_size(config), generator=generator) / 2
    batch = {"shapes": shapes.clamp(-1, 1)}
    if config.reads_text:
        size = (batch_size, config.prompt_length)
        batch["tokens"] = torch.randint(config.vocab_size, size, generator=generator)
    if config.reads_image:
        size = (batch_size, config.channels, config.image_size, config.image_size)
        batch["pictures"] = torch.randn(size, generator=generator).clamp(-1, 1)
    if config.labelled:
        batch["labels"] = torch.randint(config.num_classes, (batch_size,), generator=generator)
    return batch | stacked(noises)


def prepare(config: Config) -> None:
    """Check the data, make the run folder, and learn the vocabulary where there is one."""
    sources = find_sources(config)
    if len(sources) < 2:
        raise ValueError(f'--data "{config.data}": {len(sources)} shapes are not enough')
    if config.labelled:
        names = {source.label for source in sources}
        if len(names) > config.num_classes:
            message = f"--num-classes is {config.num_classes}; there are {len(names)} classes"
            raise ValueError(message)
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)
    if config.bpe:
        from .bpe import learn_tokens

        learn_tokens((source.text for source in sources), config)
