"""Evaluate a trained forecaster on held-out ends of series, beside last season and last value.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Everything that is forecast comes after everything that was trained on. The
quantile loss is in deviations of the past, doubled, so that for points it is the absolute error.
MASE is the error of the median over what repeating the last season misses in training; the
weighted quantile loss is relative to the size of the values. Coverage is the share of the values
between the first and the last decile: 0.8 would be exact.
"""

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .losses import score
from .measures import (
    Score,
    last_season,
    last_value,
    measure,
    model_forecasts,
    naive_forecasts,
)
from .parallel import join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out windows, by kind of series."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    rows, figures = [], {"steps": steps, "loss": score(model, corpus, workers).loss}
    for name, key, windows in kinds(corpus):
        scores = {
            "this model": measure(
                corpus, windows, model_forecasts(model, corpus, windows, workers)
            ),
            "last season": measure(corpus, windows, naive_forecasts(last_season, corpus, windows)),
            "last value": measure(corpus, windows, naive_forecasts(last_value, corpus, windows)),
        }
        rows += [(who, name, *cells(found)) for who, found in scores.items()]
        for found, prefix in zip(scores.values(), ("", "trivial_", "last_value_"), strict=True):
            figures |= {
                f"{prefix}{key}quantile_loss": found.loss,
                f"{prefix}{key}mase": found.mase,
                f"{prefix}{key}weighted_quantile_loss": found.weighted,
            }
        figures[f"{key}coverage"] = scores["this model"].coverage
        figures[f"{key}windows"] = len(windows)
    leave_workers(workers)
    return Table(
        title="Held-out forecasts",
        context=f"{run_dir} after {steps:,} steps, {config.horizon} steps ahead",
        columns=("predictor", "series", "quantile loss", "MASE", "weighted", "coverage of 80 %"),
        rows=tuple(rows),
        figures=figures,
    )


def kinds(corpus: Corpus):
    """Yield what kinds of series are called, the prefix of their figures, held-out windows."""
    real = {i for i, s in enumerate(corpus.series) if not s.name.startswith("series ")}
    made = [w for w in corpus.val if w.series not in real]
    if made:
        yield f"{len(corpus.series) - len(real)} built-in", "", made
    for i in sorted(real):
        prefix = "real_" if made else ""
        yield corpus.series[i].name, prefix, [w for w in corpus.val if w.series == i]


def cells(found: Score) -> tuple[float | None, ...]:
    """The figures of one row."""
    return found.loss, found.mase, found.weighted, found.coverage


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
