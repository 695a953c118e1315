"""Evaluate a trained model on held-out rows, beside a linear model.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. The linear model, fitted here on the training rows, sees the same columns; the
trivial predictors know how often each answer occurs in training, no more. The loss is the one of
training.
"""

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .measures import baselines, score
from .parallel import join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out rows."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    ours = score(model, corpus, workers)
    leave_workers(workers)
    others = baselines(corpus)
    scores = [("this model", ours), *others.values()]
    names = list(ours.measures)
    figures = {"steps": steps, "rows": ours.samples, "loss": ours.loss}
    for prefix, (_, found) in {"": ("", ours), **others}.items():
        for name, value in found.measures.items():
            figures["_".join(filter(None, (prefix, *name.replace("@", " ").split())))] = value
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {ours.samples:,} rows",
        columns=("predictor", *names, "loss"),
        rows=tuple((n, *(s.measures.get(m) for m in names), s.loss) for n, s in scores),
        figures=figures,
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
