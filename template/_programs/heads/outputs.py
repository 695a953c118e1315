"""What the heads give of a sample: the columns that tell of it, and targets at random."""

import torch
from torch import Tensor

from .config import Config


def outputs_of(config: Config) -> tuple[str, ...]:
    """The columns that are predicted."""
    names = []
    if config.gives_label:
        names.append("label")
    if config.gives_value:
        names.append("value")
    if config.gives_embedding:
        names.append("group")
    return tuple(names)


def random_targets(config: Config, count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Targets for so many samples, in the shapes of a batch; embeddings are alike in pairs."""
    targets = {}
    if config.gives_label:
        targets["labels"] = torch.randint(config.num_classes, (count,), generator=generator)
    if config.gives_value:
        targets["values"] = torch.randn(count, generator=generator)
    if config.gives_embedding:
        targets["groups"] = torch.arange(count) // 2
    return targets
