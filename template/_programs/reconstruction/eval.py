"""Evaluate a trained autoencoder on held-out pictures, beside what needs no training.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Codes are the means that the encoder gives. The loss adds the mean
absolute and the mean squared difference of pixels, which lie between -1 and 1; the peak
signal-to-noise ratio is that of all pictures together. The mean picture of the training data is the
trivial predictor. The other one shrinks a picture to as many numbers as its code has and enlarges
it again.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .model import difference, latent_shape
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


@dataclass(frozen=True)
class Score:
    """What reconstructions of some pictures miss, on average.

    Attributes:
        pictures: how many there were.
        loss: absolute and squared difference of pixels, added.
        squared: squared difference of pixels, which lie between -1 and 1.
    """

    pictures: int
    loss: float
    squared: float

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio, in decibels."""
        return decibels(self.squared)


def decibels(squared: float) -> float:
    """The peak signal-to-noise ratio of a mean squared error; at most 100."""
    return -10 * math.log10(max(squared / 4, 1e-10))


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out pictures, in every process the same."""
    training = model.training
    model.eval()

    def made(images: Tensor) -> Tensor:
        with workers.autocast():
            return model(images.to(workers.device)).float().cpu()

    found = tally(made, corpus, limit)
    model.train(training)
    return found


def tally(make: Callable[[Tensor], Tensor], corpus: Corpus, limit: int | None) -> Score:
    """What the pictures that `make` makes of held-out ones miss."""
    pictures, loss, squared = 0, 0.0, 0.0
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        images = batch["images"]  # (B, C, Y, X)
        made = make(images)
        pictures += len(images)
        loss += difference(made, images).item() * len(images)
        squared += F.mse_loss(made, images).item() * len(images)
    return Score(pictures, loss / pictures, squared / pictures)


def mean_picture(corpus: Corpus, most: int = 1_000) -> Tensor:
    """The mean of at most so many training pictures, (C, Y, X)."""
    return corpus.images(corpus.train[:most]).mean(dim=0)


def shrunk(config: Config, images: Tensor) -> Tensor:
    """Pictures through a smaller picture of as many numbers as their code, (B, C, Y, X)."""
    numbers = math.prod(latent_shape(config)) / config.channels
    side = max(1, min(config.image_size, int(math.sqrt(numbers))))
    small = F.interpolate(images, (side, side), mode="area")  # (B, C, side, side)
    return F.interpolate(small, images.shape[2:], mode="bilinear")


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out pictures."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    mean = mean_picture(corpus)
    scores = {
        "this model": score(model, corpus, workers),
        "mean picture": tally(lambda images: mean.expand_as(images), corpus, None),
        "picture shrunk to its code": tally(lambda images: shrunk(config, images), corpus, None),
    }
    leave_workers(workers)
    ours, trivial, small = scores.values()
    numbers = config.channels * config.image_size**2
    return Table(
        title="Held-out reconstruction",
        context=f"{run_dir} after {steps:,} steps, {ours.pictures:,} pictures",
        columns=("predictor", "loss", "PSNR (dB)"),
        rows=tuple((name, s.loss, s.psnr) for name, s in scores.items()),
        figures={
            "steps": steps,
            "pictures": ours.pictures,
            "compression": numbers / math.prod(latent_shape(config)),
            "loss": ours.loss,
            "psnr_db": ours.psnr,
            "trivial_loss": trivial.loss,
            "trivial_psnr_db": trivial.psnr,
            "shrunk_loss": small.loss,
            "shrunk_psnr_db": small.psnr,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
