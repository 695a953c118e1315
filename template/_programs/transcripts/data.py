"""Sounds with their transcripts as tensors; batches are functions of the step.

Without `--data` utterances are made as they are heard. `--data` takes a folder of WAV files with a
CSV or JSONL file of `path` and `text` in it, such a file itself, or the name of a Hugging Face
dataset with columns `audio` and `text`. Sounds are cut or padded with silence to the window that
the model hears. The batch of a step follows from (seed, step), so training resumes exactly and
does not depend on how many processes share a batch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from .batches import Batches
from .config import Config
from .reading import dataset_rows, files_at, table_rows
from .synthetic import COUNT, transcript, utterance
from .tokenizer import load_tokenizer
from .wav import read_wav, resample

TABLES = (".csv", ".jsonl")


@dataclass(frozen=True)
class Clip:
    """A sound that is read when it is needed, (samples,), and what it says."""

    name: str
    text: str
    read: Callable[[], Tensor]


class Corpus(Batches):
    """Training and held-out clips."""

    def __init__(self, config: Config):
        super().__init__(config, *split_clips(config))
        self.tokenizer = load_tokenizer(config)
        if not self.train or not self.val:
            raise ValueError("--data leaves no clips to train on or to hold out; give it more")

    def stack(self, clips: list[Clip]) -> dict[str, Tensor]:
        """Clips as {"source": (B, samples), "target": (B, T + 1)}; see `loss`."""
        longest, end = self.config.train_length, self.tokenizer.end
        targets = [[*self.tokenizer.encode(c.text)[: longest - 1], end] for c in clips]
        target = torch.full((len(clips), max(map(len, targets)) + 1), -1)
        target[:, 0] = end  # which also starts a target
        for row, written in enumerate(targets):
            target[row, 1 : len(written) + 1] = torch.tensor(written)
        source = torch.stack([window(clip.read(), self.config) for clip in clips])
        return {"source": source, "target": target}


def heard_samples(config: Config) -> int:
    """Samples of the window that the model hears: each encoder position stands for 20 ms."""
    return config.audio_positions * config.sample_rate // 50


def window(sound: Tensor, config: Config) -> Tensor:
    """A sound cut or padded with silence to the window, (samples,)."""
    samples = heard_samples(config)
    return F.pad(sound[:samples], (0, max(0, samples - len(sound)))).float()


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Noise and random token ids of full length: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    source = 0.1 * torch.randn(batch_size, heard_samples(config), generator=generator)
    shape = (batch_size, config.train_length + 1)
    return {
        "source": source,
        "target": torch.randint(config.vocab_size, shape, generator=generator),
    }


def longest_source(config: Config) -> Tensor:
    """A whole window of silence, (1, samples): for speed."""
    return torch.zeros(1, heard_samples(config))


def prepare(config: Config) -> None:
    """Look at the data once, and learn the tokenizer of a run that has none yet."""
    texts = [clip.text for clip in split_clips(config)[0]]
    if not texts:
        raise ValueError("--data leaves no clips to train on; give it more")
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)
    if config.bpe:
        from .bpe import learn_tokens, vocabulary

        if not vocabulary(config).exists():
            learn_tokens(texts, config)


def split_clips(config: Config) -> tuple[list[Clip], list[Clip]]:
    """Training and held-out clips: a draw from the seed and the transcript alone.

    A text that is said twice is on one side, so no sentence that is held out was trained on.
    """
    train: list[Clip] = []
    val: list[Clip] = []
    for clip in clips_of(config):
        draw = Random(f"{config.seed}/split/{clip.text}").random()
        (val if draw < config.val_fraction else train).append(clip)
    return train, val


def clips_of(config: Config) -> Iterator[Clip]:
    """The clips that `--data` names; without it the built-in ones."""
    if not config.data:
        return (synthetic_clip(config, index) for index in range(COUNT))
    if Path(config.data).exists():
        return (
            clip for table in files_at(config.data, TABLES) for clip in read_table(table, config)
        )
    rows = dataset_rows(config.data)
    return (hub_clip(rows, index, config) for index in range(len(rows)))


def synthetic_clip(config: Config, index: int) -> Clip:
    """Utterance `index` of the built-in ones."""
    text = transcript(config.seed, index)
    rng = f"{config.seed}/utterance/{index}"
    return Clip(f"utterance {index}", text, lambda: utterance(text, config, Random(rng)))


def hub_clip(rows, index: int, config: Config) -> Clip:
    """Row `index` of a Hugging Face dataset."""

    def read() -> Tensor:
        audio = rows[index]["audio"]
        sound = torch.as_tensor(audio["array"]).float()
        return resample(sound, audio["sampling_rate"], config.sample_rate)

    return Clip(f"row {index}", rows[index]["text"], read)


def read_table(table: Path, config: Config) -> Iterator[Clip]:
    """The clips that a CSV or JSONL file lists; paths are relative to it."""
    for number, row in enumerate(table_rows(table), 1):
        if not {"path", "text"} <= row.keys():
            raise ValueError(f'--data {table}: record {number} has no "path" and "text"')
        path = table.parent / row["path"]
        if not path.is_file():
            raise ValueError(f"--data {table}: record {number}: no file {path}")
        yield Clip(row["path"], row["text"], lambda p=path: read_wav(p, config.sample_rate))
