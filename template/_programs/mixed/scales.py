"""Numbers in deviations from their mean, column by column, as the training data have them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def learned(rows: Sequence[Tensor]) -> dict[str, Any]:
    """Mean and deviation of each column of tensors that end in columns, (..., W)."""
    table = torch.cat([row.reshape(-1, row.size(-1)) for row in rows])
    deviation = table.std(dim=0, correction=0)
    deviation = torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation))
    return {"mean": table.mean(dim=0).tolist(), "deviation": deviation.tolist()}


def scaled(numbers: Tensor, note: dict[str, Any]) -> Tensor:
    """Numbers, (..., W), in deviations."""
    return (numbers - torch.tensor(note["mean"])) / torch.tensor(note["deviation"])


def unscaled(numbers: Tensor, note: dict[str, Any]) -> Tensor:
    """Numbers in their own unit again."""
    return numbers * torch.tensor(note["deviation"]) + torch.tensor(note["mean"])
