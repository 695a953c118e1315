"""Evaluate a trained model on held-out shapes, beside predicting nothing and showing the mean.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. The loss is the mean squared error of the denoiser, each held-out shape with
noise and a time of its own; predicting zero is the trivial answer. Then shapes are made from what
is told of held-out ones, and the Chamfer distance of their surfaces to the true ones is compared
with that of the mean of all training shapes, and with that of noise.
"""

import numpy as np
import torch
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .diffusion import denoising_loss
from .forms import COLUMN, form_of, mean_form, wholeness
from .losses import Score, mean_loss, score
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser
from .samples import generate, mean_chamfer, noise_for

MADE = 48  # shapes that are made and compared
AVERAGED = 240  # training shapes that the mean is taken of


def zero_score(model: nn.Module, corpus: Corpus, workers: Workers) -> Score:
    """The same for a denoiser that answers zero."""

    def loss_of(batch: dict[str, Tensor]) -> Tensor:
        batch = workers.move(batch)
        clean, noise = model.encode(batch["shapes"]), batch["noise"]
        zero = torch.zeros_like(noise)
        return denoising_loss(corpus.config, lambda *_: zero, clean, noise, batch["quantiles"])

    return mean_loss(loss_of, corpus)


def evaluate(run_dir: str, device: str = "auto", made: int = MADE) -> Table:
    """Score the newest checkpoint of a run on all of its held-out shapes."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    found, zero = score(model, corpus, workers), zero_score(model, corpus, workers)
    sources = corpus.val[:made]
    forms = generate(model, corpus, sources, seed=config.seed)
    leave_workers(workers)
    part = corpus.train[:AVERAGED]
    known = torch.stack([form_of(source, config, f"mean/{source.name}") for source in part])
    mean = mean_form(known, np.random.default_rng(config.seed))
    noise = torch.stack([noise_for(config, config.seed, i) for i in range(len(sources))])
    rows = [("this model", found.loss, forms), ("zero; mean shape", zero.loss, [mean])]
    rows.append(("zero; noise", zero.loss, model.decode(noise)))
    figures = {"steps": steps, "shapes": found.samples, "loss": found.loss, "zero_loss": zero.loss}
    cells = []
    for (name, loss, shown), key in zip(rows, ("", "mean_", "noise_"), strict=True):
        every = shown if len(shown) == len(sources) else list(shown) * len(sources)
        distance = mean_chamfer(every, sources, config.seed)
        whole = float(np.mean([wholeness(form) for form in shown]))
        figures |= {f"{key}chamfer": distance, f"{key}wholeness": whole}
        cells.append((name, loss, distance, whole))
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {found.samples:,} shapes, {len(sources)} made",
        columns=("predictor", "denoising loss", "Chamfer distance", COLUMN),
        rows=tuple(cells),
        figures=figures,
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--made", type=int, default=MADE, help="shapes to make and compare")
    evaluate_run(evaluate, parser)


if __name__ == "__main__":
    main()
