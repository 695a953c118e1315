"""Find what does not fit into a series.

    python -m PACKAGE.infer --series telemetry.csv

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/anomalies.csv`, the score of every value and whether it is above the threshold, and
`results/anomalies.png`, the series above their scores. Without `--series` it judges held-out ones,
in whose picture the true anomalies are shaded. Before any training it uses the untrained tiny
model.
"""

import csv
from pathlib import Path

import numpy as np

from .config import Config
from .data import Corpus
from .measures import model_scores, threshold
from .parallel import join_workers
from .plot import BLUE, PINK, RED, Line, Panel, draw
from .results import RESULTS
from .runs import load_run, run_parser
from .series import Series, read_table

SHOWN = 3  # variables on the picture, at most


def save(found: list[tuple[Series, np.ndarray]], limit: float) -> tuple[Path, Path]:
    """Write the table and the picture of series and their scores, (steps, variables)."""
    RESULTS.mkdir(exist_ok=True)
    table, picture = RESULTS / "anomalies.csv", RESULTS / "anomalies.png"
    with open(table, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["series", "variable", "step", "value", "score", "anomaly"])
        for series, scores in found:
            for column, name in enumerate(series.columns):
                for step in np.flatnonzero(series.known[:, column]):
                    value, score = series.values[step, column], scores[step, column]
                    cells = (f"{value:.6g}", f"{score:.4f}", int(score > limit))
                    rows.writerow([series.name, name, step, *cells])
    chosen = [(*pair, column) for pair in found for column in range(pair[0].values.shape[1])]
    draw([panel for one in chosen[:SHOWN] for panel in panels(*one, limit)]).save(picture)
    return table, picture


def panels(series: Series, scores: np.ndarray, column: int, limit: float) -> list[Panel]:
    """A variable with its true anomalies, where they are known, and its scores."""
    marks = []
    if series.labels is not None:
        edges = np.diff(series.labels[:, column].astype(int), prepend=0, append=0)
        spans = zip(np.flatnonzero(edges > 0), np.flatnonzero(edges < 0), strict=True)
        marks = [(int(begin), int(end), PINK) for begin, end in spans]
    values = np.where(series.known[:, column], series.values[:, column], np.nan)
    score = scores[:, column]
    lines = [Line(0, score, BLUE), Line(0, np.full(len(score), limit), RED)]
    title = f"{series.name}, {series.columns[column]}"
    if len(series.columns) == 1:
        title = series.name
    return [
        Panel(title, [Line(0, values)], marks=marks),
        Panel("score, and the threshold", lines, marks=marks),
    ]


def main() -> None:
    """Read the flags, judge, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--series", help="CSV with a column per variable (default: held-out ones)")
    args = parser.parse_args()
    try:
        config, model, _, origin = load_run(args)
        corpus = Corpus(config)
        judged = [read_table(args.series, "--series")] if args.series else corpus.judged[:SHOWN]
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    workers = join_workers(Config.tiny(device=args.device))
    limit = threshold(model, corpus, workers)
    found = [(series, model_scores(model, config, series, workers)) for series in judged]
    for series, scores in found:
        flagged = int((scores > limit)[series.known].sum())
        print(f"{series.name}: {flagged} of {int(series.known.sum())} values do not fit")
    table, picture = save(found, limit)
    print(f"[{origin}]\nwrote {table} and {picture}")


if __name__ == "__main__":
    main()
