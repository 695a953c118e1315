"""Find links that a graph does not show.

    python -m PACKAGE.infer --limit 20

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.csv` with the likeliest links among held-out ones and as many pairs without a
link, and `results/graph.png`, a drawing of a part of the graph: known links are grey, the likeliest
of those it was asked about green where they exist, else red. `--data` names the folder of another
graph with the same features. Before any training the untrained tiny model answers.
"""

import argparse
from dataclasses import replace
from random import Random

import torch

from .data import Corpus
from .drawing import draw
from .results import RESULTS, save_rows
from .runs import load_run, run_parser

DRAWN = 140  # nodes of the drawing


@torch.inference_mode()
def find_links(args: argparse.Namespace) -> list[dict[str, str]]:
    """A row for each pair that was asked about, likeliest first; writes the drawing."""
    config, model, device, origin = load_run(args)
    print(f"[{origin}]")
    config = replace(config, data=args.data or config.data)
    corpus = Corpus(config)
    asked = []
    for batch in corpus.val_batches(config.micro_batch):
        scores = model({name: tensor.to(device) for name, tensor in batch.items()})
        asked += zip(scores.float().sigmoid().tolist(), batch["labels"].tolist(), strict=True)
    rng = Random(f"{config.seed}/val")
    pairs = [pair for link in corpus.val for pair in (link, corpus.unlinked(rng))]
    answers = sorted(zip(asked, pairs, strict=True), key=lambda answer: -answer[0][0])
    rows = [
        {
            "source": corpus.ids[first],
            "target": corpus.ids[second],
            "probability": f"{share:.4f}",
            "linked": "yes" if linked else "no",
        }
        for (share, linked), (first, second) in answers
    ]
    seen = corpus.graph.around(answers[0][1], [8] * 6, Random(config.seed))
    shown = {node: i for i, node in enumerate(seen.nodes[:DRAWN])}
    edges = [(s, t) for s, t in seen.edges if max(s, t) < len(shown)]
    marked = [
        (shown[first], shown[second], bool(linked))
        for (share, linked), (first, second) in answers
        if share > 0.5 and first in shown and second in shown
    ]
    RESULTS.mkdir(exist_ok=True)
    draw(len(shown), edges, [1] * len(shown), marked=marked).save(RESULTS / "graph.png")
    return rows


def main() -> None:
    """Read the flags, judge, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--data", help="folder with nodes.csv and edges.csv")
    parser.add_argument("--limit", type=int, default=12, help="at most so many lines are printed")
    args = parser.parse_args()
    try:
        rows = find_links(args)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    path = save_rows("predictions", rows)
    for row in rows[: args.limit]:
        truth = "linked" if row["linked"] == "yes" else "not linked"
        print(f"{row['source']} - {row['target']}: {row['probability']}, {truth}")
    print(f"wrote {path} ({len(rows):,} pairs) and {RESULTS / 'graph.png'}")


if __name__ == "__main__":
    main()
