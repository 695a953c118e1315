"""Say what kind of series those are.

    python -m PACKAGE.infer --series recordings/

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.csv`, a row for each series, and `results/predictions.png`. `--series` names
what `--data` of training could: a folder with folders of CSV tables, or a CSV with a series per
row. Without it held-out series are read, and those with wrong answers are red. Before any training
it uses the untrained tiny model.
"""

import csv
from pathlib import Path

import numpy as np
import torch

from .config import Config
from .data import Corpus, class_names, read_own, window
from .plot import INK, RED, Line, Panel, draw
from .results import RESULTS
from .runs import load_run, run_parser

SHOWN = 8  # panels of the picture, at most


def chosen(config: Config, path: str | None, limit: int) -> list[tuple[str, np.ndarray, str]]:
    """At most `limit` series: title, values, (steps, variables), and label."""
    if path:
        return [(s.title, s.values, s.label) for s in read_own(path)[:limit]]
    corpus = Corpus(config)
    found = [(corpus.title(i), *corpus.read(i)) for i in corpus.val[:limit]]
    return [(title, values, corpus.names[label]) for title, values, label in found]


def save(series: list[tuple[str, np.ndarray, str]], answers: list[tuple[str, float]]) -> list[Path]:
    """Write the table and the picture."""
    RESULTS.mkdir(exist_ok=True)
    table, picture = RESULTS / "predictions.csv", RESULTS / "predictions.png"
    panels = []
    with open(table, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["series", "predicted", "probability", "label"])
        for (title, values, label), (answer, share) in zip(series, answers, strict=True):
            rows.writerow([title, answer, f"{share:.4f}", label])
            line = Line(0, values[:, 0], INK if answer == label else RED)
            panels.append(Panel(f"{title}: {answer} ({share:.0%}), is {label}", [line]))
    draw(panels[:SHOWN]).save(picture)
    return [table, picture]


def main() -> None:
    """Read the flags, predict, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--series", help="folder or CSV of series (default: held-out ones)")
    parser.add_argument("--limit", type=int, default=24, help="at most so many series")
    args = parser.parse_args()
    try:
        config, model, device, origin = load_run(args)
        series = chosen(config, args.series, args.limit)
    except ValueError as error:
        parser.exit(2, f"error: {str(error).replace('--data', '--series')}\n")
    batch = window(config, [values for _, values, _ in series])
    with torch.inference_mode():
        scores = model(batch["values"].to(device), batch["known"].to(device))
    names = class_names(config)
    best = scores[:, : len(names)].float().softmax(dim=-1).max(dim=-1)
    likeliest = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    answers = [(names[number], share) for number, share in likeliest]
    for (title, _, label), (answer, share) in zip(series[:8], answers, strict=False):
        print(f"{title}: {answer} ({share:.0%}), is {label}")
    print(f"[{origin}]\nwrote {' and '.join(map(str, save(series, answers)))}")


if __name__ == "__main__":
    main()
