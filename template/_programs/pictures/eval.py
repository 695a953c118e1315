"""Evaluate a trained model: what it predicts of held-out pictures, and what it makes.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. The denoising loss stands beside that of predicting zero, the mean of what is
predicted. The distance of made pictures to held-out ones stands beside that of pictures made of the
noise that they begin with, and of training pictures.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .distance import share_closer, sliced_distance
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


@dataclass(frozen=True)
class Score:
    """Sums over held-out pictures."""

    error: float
    trivial_error: float
    pictures: int

    @property
    def loss(self) -> float:
        """Mean loss of the denoiser."""
        return self.error / self.pictures

    @property
    def trivial_loss(self) -> float:
        """The same of predicting zero everywhere."""
        return self.trivial_error / self.pictures


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out pictures, in every process the same."""
    config = corpus.config
    training = model.training
    model.eval()
    error = trivial = count = 0.0
    for batch in corpus.val_batches(config.micro_batch, limit):
        batch = workers.move(batch)
        size = len(batch["images"])
        with workers.autocast():
            error += model.loss(batch).item() * size
            trivial += zero_loss(model, batch, config).item() * size
        count += size
    model.train(training)
    return Score(error, trivial, int(count))


def zero_loss(model: nn.Module, batch: dict[str, Tensor], config: Config) -> Tensor:
    """The loss of predicting zero, a scalar."""

    def zero(noisy: Tensor, at: Tensor) -> Tensor:
        if config.learned_variance:
            return torch.cat((0 * noisy, 0 * noisy), dim=1)
        else:
            return 0 * noisy

    return model.error(zero, model.encode(batch["images"]), batch)


@torch.no_grad()
def make(
    model: nn.Module, corpus: Corpus, workers: Workers, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Held-out pictures, pictures made from what is told of them, and decoded noise."""
    config = corpus.config
    found: list[tuple[Tensor, ...]] = []
    for batch in corpus.val_batches(config.micro_batch, count):
        batch = workers.move(batch)
        made = model.generate(batch, config.sampling_steps, scale=config.guidance_scale)
        noise = model.decode(batch["noise"]).clamp(-1, 1)
        found.append((batch["images"].cpu(), made.cpu(), noise.cpu()))
    held_out, made, noise = (torch.cat(parts) for parts in zip(*found, strict=True))
    return held_out, made, noise


def evaluate(run_dir: str, device: str = "auto", samples: int = 192) -> Table:
    """Score the newest checkpoint of a run, and what it makes of `samples` held-out conditions."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    found = score(model, corpus, workers)
    held_out, made, noise = make(model, corpus, workers, samples)
    count = len(made)
    seeds = [str(i) for i in range(count)]
    seen = corpus.stack(corpus.train[:count], seeds)["images"]
    leave_workers(workers)
    distance, noise_distance = sliced_distance(made, held_out), sliced_distance(noise, held_out)
    seen_distance = sliced_distance(seen, held_out)
    closer, chance = share_closer(made, held_out), 0.5
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {found.pictures:,} pictures, {count:,} made",
        columns=(
            "predictor",
            "denoising loss",
            "sliced distance to held-out pictures",
            "closer to the one that was asked for",
        ),
        rows=(
            ("this model", found.loss, distance, closer),
            ("zero, noise, chance", found.trivial_loss, noise_distance, chance),
            ("training pictures", None, seen_distance, share_closer(seen, held_out)),
        ),
        figures={
            "steps": steps,
            "pictures": found.pictures,
            "made": count,
            "loss": found.loss,
            "trivial_loss": found.trivial_loss,
            "sliced_distance": distance,
            "noise_sliced_distance": noise_distance,
            "training_sliced_distance": seen_distance,
            "closer": closer,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--samples", type=int, default=192, help="pictures to make")
    evaluate_run(evaluate, parser)


if __name__ == "__main__":
    main()
