"""The loss of training on held-out samples."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .data import Corpus
from .parallel import Workers


@dataclass(frozen=True)
class Score:
    """The mean loss of a predictor over some samples."""

    loss: float
    samples: int


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out samples, in every process the same."""

    def loss_of(batch: dict[str, Tensor]) -> Tensor:
        with workers.autocast():
            return model.loss(workers.move(batch))

    training = model.training
    model.eval()
    found = mean_loss(loss_of, corpus, limit)
    model.train(training)
    return found


@torch.no_grad()
def mean_loss(
    loss_of: Callable[[dict[str, Tensor]], Tensor], corpus: Corpus, limit: int | None = None
) -> Score:
    """The same for whatever has a loss, a mean over the samples of a batch."""
    total, samples = 0.0, 0
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        size = len(next(iter(batch.values())))
        total, samples = total + loss_of(batch).item() * size, samples + size
    return Score(total / samples, samples)
