"""Sounds and what is said about them as tensors, in batches that are functions of the step.

`prepare` lists the sounds (built in, files, or a Hugging Face dataset), holds out a share of them,
trains a tokenizer where there is one to train, and writes `<run_dir>/corpus/`. The batch of a
step follows from (seed, step), so training resumes exactly and does not depend on how many
processes share a batch.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import prod
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Config
from .corpus import corpus_folder, empty_corpus, fingerprint, read_record, write_record
from .reading import files_at
from .records import read_records
from .synthetic import COUNT, prompt, synthesise
from .wav import read_wav

BUILT_IN = "built-in/"  # before the number of a sound that is made when it is needed


class Corpus:
    """Training and held-out clips: dictionaries of `sound`, where it is, and `text`."""

    def __init__(self, config: Config):
        self.config, record = config, read_record(config)
        if config.conditioned:
            from .tokenizer import load_tokenizer

            self.tokenizer = load_tokenizer(config)
        self.train, self.val = record["train"], record["val"]
        for name, clips in (("training", self.train), ("held-out", self.val)):
            if not clips:
                raise ValueError(f"--data leaves no {name} sounds")

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Clips `rows` of the step's global batch, each cut out of its sound at random.

        What belongs to the codec's own training is among them as long as that learns.
        """
        rng = Random(f"{self.config.seed}/batch/{step}")
        size = self.config.global_batch
        draws = [(rng.choice(self.train), rng.random(), rng.random()) for _ in range(size)]
        chosen = [draws[row] for row in rows]
        batch = self.stack((clip, at) for clip, at, _ in chosen)
        learns = step < self.config.codec_share * self.config.steps
        if self.config.diffused:
            from .noise import training_noise

            batch |= training_noise(self.config, step, rows, learns)
        else:
            if self.config.conditioned:
                share = self.config.dropout_condition
                batch["dropped"] = torch.tensor([chance < share for _, _, chance in chosen])
            if learns:
                batch["train_codec"] = torch.ones(len(chosen))
        return batch

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out clips in order, at most `limit` of them, each from its start."""
        clips = self.val[:limit]
        for first in range(0, len(clips), batch_size):
            chosen = clips[first : first + batch_size]
            batch = self.stack((clip, 0.0) for clip in chosen)
            if self.config.diffused:
                from .noise import held_out_noise

                batch |= held_out_noise(self.config, range(first, first + len(chosen)))
            yield batch

    def stack(self, clips: Iterable[tuple[dict[str, str], float]]) -> dict[str, Tensor]:
        """Clips, and where in their sounds they begin, as a batch with `waveform`, (B, 1, N)."""
        clips, samples = list(clips), clip_samples(self.config)
        sounds = [fit(load_sound(c["sound"], self.config), at, samples) for c, at in clips]
        batch = {"waveform": torch.stack(sounds)[:, None]}
        if self.config.conditioned:
            from .prompts import encode

            texts = (clip["text"] for clip, _ in clips)
            batch["tokens"] = encode(texts, self.tokenizer, self.config)
        if self.config.melodic:
            batch["melody"] = batch["waveform"]
        if self.config.continued:
            known = self.config.given_frames * prod(self.config.ratios)
            batch["opening"] = batch["waveform"][..., :known]
        return batch


def clip_samples(config: Config) -> int:
    """Samples of a training clip."""
    return config.frames * prod(config.ratios)


def fit(sound: Tensor, at: float, samples: int) -> Tensor:
    """A sound cut at the share `at` of what is too much, or followed by silence, (samples,)."""
    start = int(max(0, len(sound) - samples) * at)
    piece = sound[start : start + samples]
    return F.pad(piece.float(), (0, samples - len(piece)))


def load_sound(name: str, config: Config) -> Tensor:
    """The whole sound called `name`, (samples,)."""
    if name.startswith(BUILT_IN):
        return built_in(int(name.removeprefix(BUILT_IN)), config)
    return read_wav(name, config.sample_rate)


@lru_cache(maxsize=COUNT)
def built_in(index: int, config: Config) -> Tensor:
    """A built-in sound, as long as a clip of the model."""
    samples = config.frames * prod(config.ratios)
    rng = Random(f"{config.seed}/take/{index}")
    return synthesise(prompt(config.seed, index), samples, config, rng)


def prepare(config: Config) -> None:
    """Write the corpus of `config` to its run folder, unless it is there already."""
    source = fingerprint(config, files_at(config.data), "vocab_size")
    if read_record(config).get("source") == source:
        return
    empty_corpus(config)
    clips = list(records(config))
    if len(clips) < 2:
        raise ValueError(f'--data "{config.data}": {len(clips)} sounds there; 2 are needed')
    order = Random(f"{config.seed}/split").sample(range(len(clips)), len(clips))
    held_out = set(order[: max(1, round(len(clips) * config.val_fraction))])
    record = {"source": source, "train": [], "val": []}
    for i, clip in enumerate(clips):
        record["val" if i in held_out else "train"].append(clip)
    if config.bpe:
        from .bpe import learn_tokens

        learn_tokens((clip["text"] for clip in record["train"]), config)
    write_record(config, record)


def records(config: Config) -> Iterator[dict[str, str]]:
    """The sounds that `--data` names; without it the built-in ones."""
    if config.data:
        yield from read_records(config.data, corpus_folder(config) / "sounds")
    else:
        for index in range(COUNT):
            yield {"sound": f"{BUILT_IN}{index}", "text": prompt(config.seed, index)}


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Noise and random prompts, shaped as a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(batch_size, 1, clip_samples(config), generator=generator)
    batch = {"waveform": (noise / 4).clamp(-1, 1)}
    if config.conditioned:
        shape = (batch_size, config.prompt_length)
        batch["tokens"] = torch.randint(config.vocab_size, shape, generator=generator)
    if config.melodic:
        batch["melody"] = batch["waveform"]
    if config.continued:
        batch["opening"] = batch["waveform"][..., : config.given_frames * prod(config.ratios)]
    if config.diffused:
        from .noise import synthetic_noise

        batch |= synthetic_noise(config, batch_size, seed)
    else:
        batch["train_codec"] = torch.ones(batch_size)
        if config.conditioned:
            batch["dropped"] = torch.zeros(batch_size, dtype=torch.bool)
    return batch
