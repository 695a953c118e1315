"""Which rows do not fit: every cell is predicted from the others, and surprises add up."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .config import Config
from .hiding import cells_of
from .model import known, surprise_of

Tensors = Mapping[str, Tensor]
TURNS = 4  # passes over a row, each of which hides other cells


def oddness(model: nn.Module, batch: Tensors, config: Config) -> Tensor:
    """How little a row's cells fit together, (B,): their mean surprise, each told by the others."""
    there = known(batch)  # (B, N + C)
    total = torch.zeros(len(there), device=there.device)
    columns = torch.arange(cells_of(config), device=there.device)
    for turn in range(TURNS):
        hidden = (columns % TURNS == turn).expand_as(there)
        asked = batch | {"hidden": hidden}
        surprise = surprise_of(asked, model(asked))
        total += (surprise * (hidden & there)).sum(dim=1)
    return total / there.sum(dim=1).clamp(min=1)


def oddities(model: nn.Module, batch: Tensors, config: Config) -> dict[str, Tensor]:
    """The oddness of rows, (B,), and of as many that never were."""
    rows = {"own": batch, "mixed": mixed(batch)}
    return {name: oddness(model, each, config) for name, each in rows.items()}


def mixed(batch: Tensors) -> dict[str, Tensor]:
    """Rows that never were: every second cell comes from the row before."""
    result = dict(batch)
    for name in ("numbers", "absent", "words"):
        result[name] = batch[name].clone()
        result[name][:, ::2] = batch[name].roll(1, dims=0)[:, ::2]
    return result


def roc_area(odd: Tensor, usual: Tensor) -> float:
    """How often an odd row scores above a usual one; ties count half."""
    above = (odd[:, None] > usual).float() + (odd[:, None] == usual).float() / 2
    return above.mean().item()
