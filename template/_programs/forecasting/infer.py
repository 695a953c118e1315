"""Forecast what follows a series.

    python -m PACKAGE.infer --series sales.csv

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/forecast.csv`, a row for each step and variable, and `results/forecast.png`. Of the CSV
that `--series` names it forecasts what comes after its end. Without `--series` it forecasts the
end of the series of the run, which is drawn beside the forecast. Before any training it uses the
untrained tiny model.
"""

import csv
from pathlib import Path

import numpy as np
import torch

from .config import Config
from .data import open_series
from .model import levels
from .plot import BLUE, Line, Panel, draw
from .results import RESULTS
from .runs import load_run, run_parser
from .series import Series, read_table

SHOWN = 6  # panels of the picture, at most


def chosen(config: Config, path: str | None) -> list[tuple[Series, int, int]]:
    """Series, a column of each, and the step from which on it is forecast."""
    if path:
        series = read_table(path, "--series")
        return [(series, column, len(series)) for column in range(len(series.columns))]
    found = open_series(config)[0][-3:][::-1]
    return [
        (series, column, len(series) - config.horizon)
        for series in found
        for column in range(len(series.columns))
    ]


def forecast(config: Config, model, asked: list[tuple[Series, int, int]], device) -> np.ndarray:
    """Deciles, or points, of every series, (series, H, Q)."""
    reach = config.lookback
    pasts = [series.span(column, end - reach, end, end) for series, column, end in asked]
    values, known = (
        torch.from_numpy(np.stack(part)).unsqueeze(-1) for part in zip(*pasts, strict=True)
    )
    with torch.inference_mode():
        answers = model(values.to(device), known.to(device)).float().cpu()
    return answers.squeeze(2).numpy()  # (B, H, 1, Q) -> (B, H, Q)


def save(config: Config, asked: list[tuple[Series, int, int]], found: np.ndarray) -> list[Path]:
    """Write the table and the picture."""
    RESULTS.mkdir(exist_ok=True)
    table, picture = RESULTS / "forecast.csv", RESULTS / "forecast.png"
    heads = [f"q{level:g}" for level in levels(config)]
    with open(table, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["series", "variable", "step", *heads, "actual"])
        for (series, column, end), answer in zip(asked, found, strict=True):
            truth, known = series.span(column, end, end + len(answer), len(series))
            for i, numbers in enumerate(answer):
                actual = f"{truth[i]:.6g}" if known[i] else ""
                shown = [f"{number:.6g}" for number in numbers]
                rows.writerow([series.name, series.columns[column], end + i, *shown, actual])
    panels = [panel(config, *a, f) for a, f in zip(asked[:SHOWN], found, strict=False)]
    draw(panels).save(picture)
    return [table, picture]


def panel(config: Config, series: Series, column: int, end: int, answer: np.ndarray) -> Panel:
    """The past of a series, what is forecast, and what came, where that is known."""
    first = max(0, end - config.lookback)
    values, known = series.span(column, first, end + len(answer), len(series))
    title = series.name
    if len(series.columns) > 1:
        title = f"{series.name}, {series.columns[column]}"
    band, middle = None, answer.shape[1] // 2
    if middle:
        band = (Line(end, answer[:, 0]), Line(end, answer[:, -1]))
        title += ": median and 80 % interval"
    lines = [Line(first, np.where(known, values, np.nan)), Line(end, answer[:, middle], BLUE)]
    return Panel(title, lines, band)


def main() -> None:
    """Read the flags, forecast, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--series", help="CSV with a column per variable (default: the run's own)")
    args = parser.parse_args()
    try:
        config, model, device, origin = load_run(args)
        asked = chosen(config, args.series)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    found = forecast(config, model, asked, device)
    middle = found[..., found.shape[-1] // 2]
    for (series, column, end), line in zip(asked[:SHOWN], middle, strict=False):
        numbers = " ".join(f"{number:.4g}" for number in line[:8])
        print(f"{series.name}, {series.columns[column]}, from step {end}: {numbers} ...")
    print(f"[{origin}]\nwrote {' and '.join(map(str, save(config, asked, found)))}")


if __name__ == "__main__":
    main()
