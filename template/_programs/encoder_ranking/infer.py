"""Rank passages for a query with a trained model.

    python -m PACKAGE.infer --query "Who lifts the lantern?" --file passages.txt

Reads the newest checkpoint of `--run-dir` (default: of the run saved last), scores the lines of
`--file` (default: a held-out query with its passages), prints them in order and writes
`results/ranking.csv`. Before any training it asks the untrained tiny model.
"""

import argparse
import csv
from pathlib import Path

from .data import held_out_examples
from .examples import pairs_batch
from .results import RESULTS
from .runs import run_parser
from .trained import load_trained, read_lines

COLUMNS = ("rank", "score", "passage")


def ranking(args: argparse.Namespace) -> tuple[str, list[tuple[int, float, str]], str]:
    """The query, the passages from best to worst with their scores, and the model's origin."""
    if (args.query is None) != (args.file is None):
        raise ValueError("--query and --file go together")
    trained = load_trained(args)
    if args.query is None:
        [example] = held_out_examples(trained.config, 1)
        query, passages = example["query"], [p["text"] for p in example["passages"]]
    else:
        query, passages = args.query, read_lines(args.file)
    length = trained.config.text_length
    pairs = [trained.codec.encode_pair(query, text, length) for text in passages]
    batch = pairs_batch(trained.codec, [row for row, _ in pairs], [first for _, first in pairs])
    scores = trained.read(batch).tolist()  # one for each passage
    order = sorted(range(len(passages)), key=lambda i: -scores[i])
    rows = [(rank, round(scores[i], 4), passages[i]) for rank, i in enumerate(order, 1)]
    return query, rows, trained.origin


def main() -> None:
    """Read the flags, rank, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--query", help="what is asked")
    parser.add_argument("--file", type=Path, help="a file with one passage a line")
    try:
        query, rows, origin = ranking(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "ranking.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((COLUMNS, *rows))
    print(query)
    for rank, score, passage in rows:
        print(f"{rank:>3}  {score:+.3f}  {passage}")
    print(f"\n[{origin}]\nwrote {path}")


if __name__ == "__main__":
    main()
