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

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .forms import COLUMN, form_of, mean_form, wholeness
from .losses import score, score_of_zero
from .parallel import join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser
from .samples import generate, mean_chamfer, noise_for

MADE = 48  # shapes that are made and compared
AVERAGED = 240  # training shapes that the mean is taken of


def evaluate(run_dir: str, device: str = "auto", made: int = MADE) -> Table:
    """Score the newest checkpoint of a run on all of its held-out shapes."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    found = score(model, corpus, workers)
    zero = score_of_zero(model, corpus, workers, "shapes")
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
