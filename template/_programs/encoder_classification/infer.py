"""Label texts with a trained model.

    python -m PACKAGE.infer --text "The captain is quiet, not old."

Reads the newest checkpoint of `--run-dir` (default: of the run saved last), labels the texts of
`--text` and the lines of `--file` (default: a few held-out texts), prints them and writes
`results/predictions.csv`. Before any training it asks the untrained tiny model.
"""

import argparse
import csv
from pathlib import Path

from .data import held_out_examples
from .results import RESULTS
from .runs import run_parser
from .trained import load_trained, read_lines

COLUMNS = ("text", "label", "probability")


def predictions(args: argparse.Namespace) -> tuple[list[tuple[str, str, float]], str]:
    """Every text with its likeliest label, and a line on where the model comes from."""
    trained = load_trained(args)
    texts = [*args.text, *(read_lines(args.file) if args.file else [])]
    if not texts:
        texts = [example["text"] for example in held_out_examples(trained.config, 8)]
    length = trained.config.text_length
    batch = trained.codec.stack([trained.codec.encode(text, length) for text in texts])
    chances = trained.read(batch).softmax(-1)  # (B, C)
    names = dict(enumerate(trained.description.get("labels", [])))
    rows = []
    for text, chance in zip(texts, chances, strict=True):
        best = int(chance.argmax())
        rows.append((text, names.get(best, f"class {best}"), round(float(chance[best]), 4)))
    return rows, trained.origin


def main() -> None:
    """Read the flags, label, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--text", action="append", default=[], help="a text; may be repeated")
    parser.add_argument("--file", type=Path, help="a file with one text a line")
    try:
        rows, origin = predictions(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "predictions.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((COLUMNS, *rows))
    for text, label, chance in rows:
        print(f"{label}  ({chance:.0%})  {text}")
    print(f"\n[{origin}]\nwrote {path}")


if __name__ == "__main__":
    main()
