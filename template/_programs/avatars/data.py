"""Takes (frames and their sound) as tensors, with their noise, in batches that follow the step.

Without `--data` the takes are drawn as they are read. `--data` takes a folder of clips: GIFs, .npy
arrays, or folders of frames, each with a .wav and a .txt of the same name; frames are spread evenly
over the sound. The takes of a step, and the noise that is added to each, follow from (seed, step,
row): training resumes exactly and does not depend on how many processes share a batch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from .clips import clip_paths, clip_shape, read_clip
from .config import Config
from .model import chunk_numbers
from .prompts import encode
from .synthetic import caption, synthetic_take
from .tokenizer import load_tokenizer
from .wav import read_wav

BUILT_IN = 1_000  # takes of the built-in data
GOLDEN = 0.6180339887  # its multiples fill the unit interval evenly


@dataclass(frozen=True)
class Take:
    """A take that is read when it is needed, and what it shows; `read` returns all of it."""

    name: str
    text: str
    read: Callable[[], tuple[Tensor, Tensor]]


class Corpus:
    """Training and held-out takes."""

    def __init__(self, config: Config):
        self.config, self.tokenizer = config, load_tokenizer(config)
        takes = find_takes(config)
        rng = Random(f"{config.seed}/split")
        order = rng.sample(range(len(takes)), len(takes))
        held_out = max(1, round(len(takes) * config.val_fraction))
        self.val = [takes[i] for i in sorted(order[:held_out])]
        self.train = [takes[i] for i in sorted(order[held_out:])]

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Takes `rows` of the step's global batch; see `stack`."""
        config = self.config
        rng = Random(f"{config.seed}/batch/{step}")
        chosen = [(rng.choice(self.train), rng.random()) for _ in range(config.global_batch)]
        noises = [noise_of(config, f"{config.seed}/{step}/{row}", step) for row in rows]
        return self.stack([chosen[row] for row in rows], noises)

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The held-out takes in order, at most `limit`, each with noise and times of its own."""
        takes = self.val[:limit]
        for first in range(0, len(takes), batch_size):
            numbers = range(first, min(first + batch_size, len(takes)))
            noises = [held_out_noise(self.config, number) for number in numbers]
            yield self.stack([(takes[number], 0.0) for number in numbers], noises)

    def stack(
        self, chosen: Sequence[tuple[Take, float]], noises: Sequence[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Frames, (B, Z, P, Y, X), sound, (B, N), prompts, (B, S), and noise.

        Each take begins at a share of what is too long of it.
        """
        parts = [fitted(*take.read(), at, self.config) for take, at in chosen]
        video, sound = (torch.stack(part) for part in zip(*parts, strict=True))
        batch = {"video": video, "sound": sound}
        texts = (take.text for take, _ in chosen)
        batch["tokens"] = encode(texts, self.tokenizer, self.config)
        return batch | stacked(noises)


def fitted(frames: Tensor, sound: Tensor, at: float, config: Config) -> tuple[Tensor, Tensor]:
    """The frames and samples of one clip, (Z, P, Y, X) and (N,), out of a whole take."""
    wanted = samples_of(config)
    start = int(max(0, sound.size(0) - wanted) * at)
    seconds = sound.size(0) / config.sample_rate
    moments = start / config.sample_rate + torch.arange(config.frames) / config.fps
    shown = (moments / seconds * len(frames)).long().clamp(max=len(frames) - 1)
    heard = sound[start : start + wanted]
    return frames[shown], F.pad(heard, (0, wanted - heard.size(0)))


def samples_of(config: Config) -> int:
    """Samples of sound of a clip."""
    return config.chunks * config.chunk_codes * config.code_samples


def stacked(noises: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """What is random about several takes, as a batch."""
    return {name: torch.stack([noise[name] for noise in noises]) for name in noises[0]}


def noise_of(config: Config, seed: str, step: int) -> dict[str, Tensor]:
    """What is random about training on one take, as a function of the seed.

    `noise` like its coded chunks, `quantiles` of the times of each, whether its conditions are
    `dropped`; and while the autoencoders learn, the noise of its frames' codes.
    """
    generator = torch.Generator().manual_seed(Random(seed).getrandbits(63))
    noise = {
        "noise": torch.randn(config.chunks, chunk_numbers(config), generator=generator),
        "quantiles": torch.rand(config.chunks, generator=generator),
        "dropped": torch.rand((), generator=generator) < config.dropout_condition,
    }
    if step < config.autoencoder_steps:
        side = config.image_size // 2 ** (len(config.ae_channels) - 1)
        taught = (config.autoencoder_frames, config.latent_channels, side, side)
        noise["posterior_noise"] = torch.randn(taught, generator=generator)
    return noise


def held_out_noise(config: Config, number: int) -> dict[str, Tensor]:
    """The same for a held-out take: always the same, nothing dropped, the autoencoders at rest."""
    noise = noise_of(config, f"held-out/{number}", config.autoencoder_steps)
    chunks = number * config.chunks + torch.arange(config.chunks) + 0.5
    return noise | {"dropped": torch.tensor(False), "quantiles": chunks * GOLDEN % 1}


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Noise in the shapes of a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    noises = [noise_of(config, f"synthetic/{seed}/{row}", 0) for row in range(batch_size)]
    video = torch.randn(batch_size, *clip_shape(config), generator=generator) / 4
    sound = torch.randn(batch_size, samples_of(config), generator=generator) / 4
    size = (batch_size, config.prompt_length)
    tokens = torch.randint(config.vocab_size, size, generator=generator)
    batch = {"video": video.clamp(-1, 1), "sound": sound.clamp(-1, 1), "tokens": tokens}
    return batch | stacked(noises)


def prepare(config: Config) -> None:
    """Check the data, make the run folder, and learn the vocabulary where there is one."""
    takes = find_takes(config)
    if len(takes) < 2:
        raise ValueError(f'--data "{config.data}": {len(takes)} takes are not enough to train on')
    Path(config.run_dir).mkdir(parents=True, exist_ok=True)
    if config.bpe:
        from .bpe import learn_tokens

        learn_tokens((take.text for take in takes), config)


def find_takes(config: Config) -> list[Take]:
    """The takes that `--data` names; without it the built-in ones."""
    if not config.data:
        return [built_in(config, number) for number in range(BUILT_IN)]
    folder = Path(config.data)
    if not folder.is_dir():
        raise ValueError(f'--data "{config.data}": no such folder')
    takes = []
    for path in clip_paths(folder):
        sound, text = path.with_suffix(".wav"), path.with_suffix(".txt")
        if sound.exists() and text.exists():
            words = text.read_text(encoding="utf-8").strip()
            takes.append(Take(str(path), words, lambda p=path, s=sound: read_take(p, s, config)))
    return takes


def read_take(frames: Path, sound: Path, config: Config) -> tuple[Tensor, Tensor]:
    """The frames of a clip and the samples of a WAV file."""
    return read_clip(frames, config), read_wav(sound, config.sample_rate).float()


def built_in(config: Config, number: int) -> Take:
    """One of the built-in takes; it depends on the seed and its number alone."""
    text = caption(number)

    def read() -> tuple[Tensor, Tensor]:
        return synthetic_take(text, config, Random(f"{config.seed}/take/{number}"))

    return Take(f"built-in {number}", text, read)
