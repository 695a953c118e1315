"""Evaluate a trained model on the items that users had next, beside popularity.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Every held-out user is offered all items but those had in training; counted is
where the one that was had next is ranked. Popularity ranks items by how many users had them. The
loss is the cross-entropy over all those items, in nats.
"""

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .measures import popularity, score
from .parallel import join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out users."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    ours = score(model, corpus, workers)
    leave_workers(workers)
    scores = {"this model": ours, "popularity": popularity(corpus)}
    figures = {"steps": steps, "users": ours.samples}
    for (_, found), prefix in zip(scores.items(), ("", "popularity_"), strict=True):
        figures[f"{prefix}loss"] = found.loss
        for name, value in found.measures.items():
            figures[prefix + name.replace("@", "_")] = value
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {ours.samples:,} users",
        columns=("predictor", *ours.measures, "loss"),
        rows=tuple((n, *s.measures.values(), s.loss) for n, s in scores.items()),
        figures=figures,
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
