"""Clips as tensors, with their noise, in batches that are functions of the step.

Without `--data` the clips are drawn as they are read. `--data` takes a folder of clips: GIFs, .npy
arrays, or folders of frames, each with a .txt caption of the same name where prompts are read. The
clips of a step, and the noise that is added to each, follow from (seed, step, row): training
resumes exactly and does not depend on how many processes share a batch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from .clips import clip_paths, clip_shape, fit_clip, read_clip
from .config import Config
from .model import latent_shape
from .synthetic import caption, synthetic_clip

BUILT_IN = 2_000  # clips of the built-in data
GOLDEN = 0.6180339887  # its multiples fill the unit interval evenly


@dataclass(frozen=True)
class Film:
    """A clip that is read when it is needed, and what it shows; `read` returns all frames."""

    name: str
    text: str
    read: Callable[[], Tensor]


class Corpus:
    """Training and held-out clips."""

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
        """Clips `rows` of the step's global batch; see `stack`."""
        config = self.config
        rng = Random(f"{config.seed}/batch/{step}")
        chosen = [(rng.choice(self.train), rng.random()) for _ in range(config.global_batch)]
        noises = [noise_of(config, f"{config.seed}/{step}/{row}", step) for row in rows]
        return self.stack([chosen[row] for row in rows], noises)

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out clips in order, at most `limit`, each with noise and a time of its own."""
        films = self.val[:limit]
        for first in range(0, len(films), batch_size):
            numbers = range(first, min(first + batch_size, len(films)))
            noises = [held_out_noise(self.config, number) for number in numbers]
            yield self.stack([(films[number], 0.0) for number in numbers], noises)

    def stack(
        self, chosen: Sequence[tuple[Film, float]], noises: Sequence[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Clips, (B, Z, P, Y, X), each from a share of what is too much; prompts; and noise."""
        clips = [fit_clip(film.read(), at, self.config) for film, at in chosen]
        batch = {"video": torch.stack(clips)}
        if self.config.reads_text:
            from .prompts import encode

            texts = (film.text for film, _ in chosen)
            batch["tokens"] = encode(texts, self.tokenizer, self.config)
        return batch | stacked(noises)


def stacked(noises: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """What is random about several clips, as a batch."""
    return {name: torch.stack([noise[name] for noise in noises]) for name in noises[0]}


def noise_of(config: Config, seed: str, step: int) -> dict[str, Tensor]:
    """What is random about training on one clip, as a function of the seed.

    `noise` like its codes, the `quantiles` of its time, whether its condition is `dropped`; and
    while the autoencoder learns, the noise of its codes.
    """
    generator = torch.Generator().manual_seed(Random(seed).getrandbits(63))
    shape = latent_shape(config)
    noise = {
        "noise": torch.randn(shape, generator=generator),
        "quantiles": torch.rand((), generator=generator),
    }
    if config.conditioned or config.reads_text:
        noise["dropped"] = torch.rand((), generator=generator) < config.dropout_condition
    if step < config.autoencoder_steps:
        taught = (config.autoencoder_frames, *shape[1:])
        noise["posterior_noise"] = torch.randn(taught, generator=generator)
    return noise


def held_out_noise(config: Config, number: int) -> dict[str, Tensor]:
    """The same for a held-out clip: always the same, nothing dropped, the autoencoder at rest."""
    noise = noise_of(config, f"held-out/{number}", config.autoencoder_steps)
    if config.conditioned or config.reads_text:
        noise["dropped"] = torch.tensor(False)
    return noise | {"quantiles": torch.tensor((number + 0.5) * GOLDEN % 1)}


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Noise in the shapes of a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    noises = [noise_of(config, f"synthetic/{seed}/{row}", 0) for row in range(batch_size)]
    video = torch.randn(batch_size, *clip_shape(config), generator=generator) / 4
    batch = {"video": video.clamp(-1, 1)}
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
    """The clips that `--data` names; without it the built-in ones."""
    if not config.data:
        return [built_in(config, number) for number in range(BUILT_IN)]
    folder = Path(config.data)
    if not folder.is_dir():
        raise ValueError(f'--data "{config.data}": no such folder')
    films = []
    for path in clip_paths(folder):
        beside = path.with_suffix(".txt")
        text = beside.read_text(encoding="utf-8").strip() if beside.exists() else ""
        if text or not config.reads_text:
            films.append(Film(str(path), text, lambda path=path: read_clip(path, config)))
    return films


def built_in(config: Config, number: int) -> Film:
    """One of the built-in clips; it depends on the seed and its number alone."""
    text = caption(number)

    def read() -> Tensor:
        return synthetic_clip(text, config, Random(f"{config.seed}/clip/{number}"))

    return Film(f"built-in {number}", text, read)
