"""Shapes from a model: what they should be, the noise they begin as, and how near they come."""

from collections.abc import Sequence
from random import Random

import numpy as np
import torch
from torch import Tensor, nn

from .config import Config
from .data import Corpus
from .forms import surface
from .model import shape_size
from .sources import Source

BATCH = 16  # shapes that are denoised at once
COMPARED = 1024  # points of a surface that are compared


def generate(
    model: nn.Module,
    corpus: Corpus,
    sources: Sequence[Source],
    seed: int,
    steps: int | None = None,
    scale: float | None = None,
    sampler: str = "ddim",
) -> Tensor:
    """A shape for each source, (N, G, G, G) or (N, T, 3), from what is told of it alone.

    Every shape follows from the seed and its place, whatever is made beside it.
    """
    config, device = corpus.config, next(model.parameters()).device
    steps, scale = steps or config.sampling_steps, config.guidance_scale if scale is None else scale
    made = []
    for first in range(0, len(sources), BATCH):
        part = sources[first : first + BATCH]
        batch = corpus.told(part)
        noise = [noise_for(config, seed, first + i) for i in range(len(part))]
        batch["noise"] = torch.stack(noise)
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        made.append(model.generate(batch, steps, scale, sampler).float().cpu())
    return torch.cat(made)


def noise_for(config: Config, seed: int, place: int) -> Tensor:
    """The noise that a shape begins as."""
    generator = torch.Generator().manual_seed(Random(f"{seed}/sample/{place}").getrandbits(63))
    return torch.randn(shape_size(config), generator=generator)


def chamfer(these: np.ndarray, those: np.ndarray) -> float:
    """How far points of one set, (N, 3), are from the nearest of the other; the mean of both ways.

    In the units of space, of which a shape may fill -1 to 1 (Fan et al. 2017, not squared).
    """
    gaps = torch.cdist(torch.from_numpy(these).float(), torch.from_numpy(those).float())
    return (gaps.amin(dim=0).mean() + gaps.amin(dim=1).mean()).item() / 2


def mean_chamfer(forms: Tensor, sources: Sequence[Source], seed: int) -> float:
    """How far the surfaces of forms are from those of the sources, on average."""
    found = []
    for number, (form, source) in enumerate(zip(forms, sources, strict=True)):
        rng = np.random.default_rng((seed, number))
        found.append(chamfer(surface(form, COMPARED, rng), source.surface(COMPARED, rng)))
    return float(np.mean(found))
