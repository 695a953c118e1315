"""Films as tensors, with their noise, in batches that are functions of the step.

What a film is, and what `--data` takes, is said in `sources.py`. The films of a step, and the noise
that is added to each, follow from (seed, step, row): training resumes exactly and does not depend
on how many processes share a batch.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from .clips import clip_paths
from .config import Config
from .noise import held_out_noise, noise_of
from .sources import BUILT_IN, Film, built_in, film_at, fitted, random_films


class Corpus:
    """Training and held-out films."""

    def __init__(self, config: Config):
        self.config = config
        films = find_films(config)
        rng = Random(f"{config.seed}/split")
        order = rng.sample(range(len(films)), len(films))
        held_out = max(1, round(len(films) * config.val_fraction))
        self.val = [films[i] for i in sorted(order[:held_out])]
        self.train = [films[i] for i in sorted(order[held_out:])]
        if config.reads_text:
            from .tokenizer import load_tokenizer

            self.tokenizer = load_tokenizer(config)

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Films `rows` of the step's global batch; see `stack`."""
        config = self.config
        rng = Random(f"{config.seed}/batch/{step}")
        chosen = [(rng.choice(self.train), rng.random()) for _ in range(config.global_batch)]
        noises = [noise_of(config, f"{config.seed}/{step}/{row}", step) for row in rows]
        return self.stack([chosen[row] for row in rows], noises)

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out films in order, at most `limit`, each with noise and times of its own."""
        films = self.val[:limit]
        for first in range(0, len(films), batch_size):
            numbers = range(first, min(first + batch_size, len(films)))
            noises = [held_out_noise(self.config, number) for number in numbers]
            yield self.stack([(films[number], 0.0) for number in numbers], noises)

    def stack(
        self, chosen: Sequence[tuple[Film, float]], noises: Sequence[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Films as a batch, each from a share of what is too much; prompts, (B, S); and noise."""
        batch = stacked([fitted(film, at, self.config) for film, at in chosen])
        if self.config.reads_text:
            from .prompts import encode

            texts = (film.text for film, _ in chosen)
            batch["tokens"] = encode(texts, self.tokenizer, self.config)
        return batch | stacked(noises)


def stacked(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """What is known of every film of a batch, as one."""
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Noise in the shapes of a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    noises = [noise_of(config, f"synthetic/{seed}/{row}", 0) for row in range(batch_size)]
    batch = random_films(config, batch_size, generator)
    if config.reads_text:
        size = (batch_size, config.prompt_length)
        batch["tokens"] = torch.randint(config.vocab_size, size, generator=generator)
    return batch | stacked(noises)


def prepare(config: Config) -> None:
    """Check the data, make the run folder, and learn the vocabulary where there is one."""
    films = find_films(config)
    if len(films) < 2:
        raise ValueError(f'--data "{config.data}": {len(films)} clips are not enough to train on')
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)
    if config.bpe:
        from .bpe import learn_tokens

        learn_tokens((film.text for film in films), config)


def find_films(config: Config) -> list[Film]:
    """The films that `--data` names; without it the built-in ones."""
    if not config.data:
        return [built_in(config, number) for number in range(BUILT_IN)]
    folder = Path(config.data)
    if not folder.is_dir():
        raise ValueError(f'--data "{config.data}": no such folder')
    found = (film_at(path, config) for path in clip_paths(folder))
    return [film for film in found if film is not None]
