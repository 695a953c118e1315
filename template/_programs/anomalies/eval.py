"""Evaluate a trained detector on held-out series with faults, beside rules that need no training.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. A value's score is the error of its restoration while it was hidden. AUROC is
the share of pairs of an anomaly and another value whose scores are in order (chance: 0.5); average
precision the area under precision over recall (chance: the share of anomalies). Precision and
recall are those at the threshold that `false_alarms` of the training values are above. The trivial
rules are the distance from the series' mean and the change from the value before.
"""

import numpy as np

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .losses import score
from .measures import change, distance_from_mean, model_scores, ranked, threshold
from .parallel import join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Judge every held-out value by the newest checkpoint of a run."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    loss = score(model, corpus, workers).loss
    limit = threshold(model, corpus, workers)
    rules = {
        "this model": lambda series: model_scores(model, config, series, workers),
        "distance from the mean": distance_from_mean,
        "change": change,
    }
    scores = {name: gathered(corpus, rule) for name, rule in rules.items()}
    leave_workers(workers)
    figures = {"steps": steps, "loss": loss, "trivial_loss": 1.0, "threshold": limit}
    if any(series.labels is None for series in corpus.judged):
        flagged = float((scores["this model"] > limit).mean())
        rows = (("this model", loss, flagged), ("zeros", 1.0, None))
        columns = ("predictor", "loss", "flagged share")
        return Table("Held-out reconstruction", f"{run_dir}, no labels", columns, rows, figures)
    labels = np.concatenate([s.labels[s.known] for s in corpus.judged])
    found = {name: ranked(values, labels) for name, values in scores.items()}
    flagged = scores["this model"] > limit
    precision = float(labels[flagged].mean()) if flagged.any() else 0.0
    recall = float(flagged[labels].mean())
    at = {"this model": (precision, recall)}
    for (_, ranking), prefix in zip(found.items(), ("", "trivial_", "change_"), strict=True):
        figures |= {
            f"{prefix}auroc": ranking.auroc,
            f"{prefix}average_precision": ranking.precision,
        }
    figures |= {"precision": precision, "recall": recall, "anomalies": float(labels.mean())}
    return Table(
        title="Held-out anomalies",
        context=f"{run_dir} after {steps:,} steps, {labels.mean():.1%} of {len(labels):,} values",
        columns=("predictor", "AUROC", "average precision", "precision", "recall"),
        rows=tuple(
            (name, r.auroc, r.precision, *at.get(name, (None, None))) for name, r in found.items()
        ),
        figures=figures,
    )


def gathered(corpus: Corpus, rule) -> np.ndarray:
    """The scores of all known values that are judged, (values,)."""
    return np.concatenate([rule(series)[series.known] for series in corpus.judged])


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
