"""Evaluate a trained model on held-out samples, beside what needs no model.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Accuracy stands beside the commonest class of training, the mean absolute
error of values beside their mean, and recall@1, the share of embeddings whose nearest other one is
of their group, beside chance. The loss is the sum over the outputs.
"""

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .measures import score, trivial
from .parallel import join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out samples."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    scores = {"this model": score(model, corpus, workers), **trivial(corpus)}
    leave_workers(workers)
    ours, theirs = scores.values()
    figures = {"steps": steps, "samples": ours.samples, "loss": ours.loss}
    for name, value in ours.measures.items():
        key = name.replace(" ", "_").replace("@", "_")
        figures |= {key: value, f"trivial_{key}": theirs.measures[name]}
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {ours.samples:,} samples",
        columns=("predictor", *ours.measures, "loss"),
        rows=tuple((n, *(s.measures[m] for m in ours.measures), s.loss) for n, s in scores.items()),
        figures=figures,
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
