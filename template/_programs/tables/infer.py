"""Predict what is not known of the rows of a table.

    python -m PACKAGE.infer --input rows.csv

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.csv`, the rows with what the model gives beside them, `results/outputs.npz`
with what every head gave, and `results/predictions.png`, a plot of it. `--input` is a CSV file with
the header of the training table; without it held-out rows are taken. Before any training the
untrained tiny model answers.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import plot
from .columns import Columns, Row, read_rows
from .config import Config
from .data import Corpus
from .results import RESULTS
from .runs import load_run, predict_run, run_parser

DRAWN = 24  # bars


@torch.inference_mode()
def predict(args: argparse.Namespace) -> list[Row]:
    """Every row with what the model says of it; writes the arrays and the plot."""
    config, model, device, origin = load_run(args)
    print(f"[{origin}]")
    if args.input is None:
        corpus = Corpus(config)
        columns, rows = corpus.columns, corpus.val_rows
    else:
        known = Path(config.run_dir) / "columns.json"
        columns = Columns.load(known) if known.exists() else Corpus(config).columns
        rows = read_rows(args.input)
    rows = rows[: args.limit]
    batch = {name: x.to(device) for name, x in columns.inputs(rows, config).items()}
    if config.gives_cells:
        from .hiding import cells_of
        from .oddness import oddness

        shape = (len(rows), cells_of(config))
        batch["hidden"] = torch.zeros(shape, dtype=torch.bool, device=device)
    outputs = {name: x.float().cpu() for name, x in model(batch).items()}
    if config.gives_cells:
        outputs["oddness"] = oddness(model, batch, config).float().cpu()
    RESULTS.mkdir(exist_ok=True)
    np.savez(RESULTS / "outputs.npz", **{name: x.numpy() for name, x in outputs.items()})
    told = [dict(row) for row in rows]
    pictures = describe(told, outputs, columns, config)
    plot.below(pictures).save(RESULTS / "predictions.png")
    return told


def describe(
    rows: list[Row], outputs: dict[str, torch.Tensor], columns: Columns, config: Config
) -> list[Image.Image]:
    """Add what every head says to the rows, and draw it."""
    names, pictures = [f"row {i}" for i in range(len(rows))][:DRAWN], []
    if config.gives_label:
        classes = columns.labels.words
        shares, picks = outputs["label"][:, : len(classes)].softmax(dim=-1).max(dim=-1)
        for row, share, pick in zip(rows, shares, picks, strict=True):
            row |= {"predicted label": classes[pick], "probability": f"{share:.4f}"}
        right = [row.get(columns.labels.name, "") for row in rows]
        good = [r in ("", row["predicted label"]) for r, row in zip(right, rows, strict=True)]
        captions = [f"{n}: {row['predicted label']}" for n, row in zip(names, rows, strict=False)]
        title = "probability of the predicted label (red: wrong)"
        pictures.append(plot.bars(title, captions, shares.tolist()[:DRAWN], good[:DRAWN]))
    if config.gives_value:
        for i, column in enumerate(columns.values):
            found = (outputs["value"][:, i] * column.deviation + column.mean).tolist()
            for row, value in zip(rows, found, strict=True):
                row[f"predicted {column.name}"] = f"{value:.4g}"
            wanted, absent = column.read(rows)
            wanted = (wanted * column.deviation + column.mean).tolist()
            if not absent.any():
                pictures.append(plot.parity(column.name, wanted, found))
    if config.gives_embedding:
        cosines = (outputs["embedding"] @ outputs["embedding"].T).fill_diagonal_(-2.0)
        near, nearest = cosines.max(dim=1)
        for row, other in zip(rows, nearest.tolist(), strict=True):
            row["nearest row"] = str(other)
        captions = [f"{n}: like row {nearest[i]}" for i, n in enumerate(names)]
        title = "cosine to the nearest row"
        pictures.append(plot.bars(title, captions, near.tolist()[:DRAWN], [True] * len(names)))
    if config.gives_cells:
        odd = outputs["oddness"]
        for row, value in zip(rows, odd.tolist(), strict=True):
            row["oddness"] = f"{value:.4g}"
        share = (odd / odd.max().clamp(min=1e-9)).tolist()[:DRAWN]
        title = "oddness, beside that of the oddest row"
        pictures.append(plot.bars(title, names, share, [True] * len(names)))
    if not pictures:  # values of rows of which none is known
        found = outputs["value"][:DRAWN, 0].tolist()
        captions = [f"{n}: {x:.3g} deviations" for n, x in zip(names, found, strict=True)]
        share = torch.tensor(found).sigmoid().tolist()
        pictures.append(plot.bars("predicted value", captions, share, [True] * len(names)))
    return pictures


def main() -> None:
    """Read the flags, predict, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--input", type=Path, help="CSV with a header (default: held-out rows)")
    parser.add_argument("--limit", type=int, default=400, help="at most so many rows")
    predict_run(predict, parser, "predictions", "outputs.npz", "predictions.png")


if __name__ == "__main__":
    main()
