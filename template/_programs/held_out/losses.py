"""The loss of training on held-out samples."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .data import Corpus
from .diffusion import denoising_loss
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


def score_of_zero(model: nn.Module, corpus: Corpus, workers: Workers, content: str) -> Score:
    """The same for a denoiser that answers zero; batches have what is denoised as `content`."""

    def loss_of(batch: dict[str, Tensor]) -> Tensor:
        batch = workers.move(batch)
        clean, noise = model.encode(batch[content]), batch["noise"]
        zero = torch.zeros_like(noise)
        return denoising_loss(corpus.config, lambda *_: zero, clean, noise, batch["quantiles"])

    return mean_loss(loss_of, corpus)
