"""How sounds begin."""

from collections.abc import Sequence
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from .data import Corpus, fit, load_sound
from .wav import read_wav


def starts(paths: Sequence[str | Path], corpus: Corpus, frames: int, count: int) -> Tensor:
    """The first frames of files, or of held-out sounds, over again until there are `count`.

    (count, 1, N).
    """
    config, samples = corpus.config, frames * prod(corpus.config.ratios)
    found = [read_wav(path, config.sample_rate) for path in paths]
    found = found or [load_sound(clip["sound"], config) for clip in corpus.val[:count]]
    sounds = [fit(found[i % len(found)], 0.0, samples) for i in range(count)]
    return torch.stack(sounds)[:, None]
