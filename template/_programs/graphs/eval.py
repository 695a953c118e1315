"""Evaluate a trained model on held-out samples, beside the same network without edges.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. A message-passing network that is shown no edges is a perceptron that judges
every node by its own features: it is trained here, for as many steps on the same batches, and kept
beside the checkpoints. The trivial predictors know how often each answer occurs in training, no
more. The loss is the one of training.
"""

from .blind import without_edges
from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .measures import score, trivial
from .parallel import join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


def evaluate(run_dir: str, device: str = "auto", blind_steps: int | None = None) -> Table:
    """Score the newest checkpoint of a run on all of its held-out samples."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    blind = without_edges(config, corpus, workers, blind_steps or steps)
    scores = {
        "this model": score(model, corpus, workers),
        "without edges": score(blind, corpus, workers),
        **trivial(corpus),
    }
    leave_workers(workers)
    ours = scores["this model"]
    names = list(ours.measures)
    figures = {"steps": steps, "samples": ours.samples}
    for owner, prefix in zip(scores, ("", "blind_", "trivial_"), strict=True):
        figures[f"{prefix}loss"] = scores[owner].loss
        for name in names:
            key = name.replace(" ", "_").replace("@", "_")
            figures[f"{prefix}{key}"] = scores[owner].measures[name]
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {ours.samples:,} samples",
        columns=("predictor", *names, "loss"),
        rows=tuple((n, *(s.measures[m] for m in names), s.loss) for n, s in scores.items()),
        figures=figures,
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument(
        "--blind-steps", type=int, help="training steps of the network without edges (as many)"
    )
    evaluate_run(evaluate, parser)


if __name__ == "__main__":
    main()
