"""Scores on held-out samples."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .parallel import Workers

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Score:
    """The mean loss of a predictor, None where it has none, and its measures by name."""

    loss: float | None
    samples: int
    measures: dict[str, float]


@torch.no_grad()
def answered(
    model: nn.Module,
    batches: Iterable[dict[str, Tensor]],
    workers: Workers,
    answer: Callable[[dict[str, Tensor]], Tensors] | None = None,
) -> tuple[dict[str, Tensor], float, int]:
    """Outputs for all samples, each (N, ...), in every process the same; their mean loss; and N.

    The outputs are those of the model, or of `answer`.
    """
    answer, total, samples = answer or model, 0.0, 0
    found: dict[str, list[Tensor]] = {}
    training = model.training
    model.eval()
    for batch in map(workers.move, batches):
        with workers.autocast():
            outputs, loss = answer(batch), model.loss(batch)
        size = len(next(iter(outputs.values())))
        total, samples = total + loss.item() * size, samples + size
        for name, output in outputs.items():
            found.setdefault(name, []).append(output.float().cpu())
    model.train(training)
    return {name: torch.cat(pieces) for name, pieces in found.items()}, total / samples, samples
