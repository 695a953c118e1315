"""Name the nodes of a graph.

    python -m PACKAGE.infer --limit 20

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.csv` with the likeliest class of every node that was not trained on, and
`results/graph.png`, a drawing of a part of the graph: nodes have the colours of the classes that
they are given, a red ring where the label says otherwise. `--data` names the folder of another
graph with the same features. Before any training the untrained tiny model answers.
"""

import argparse
from dataclasses import replace
from random import Random

import torch

from .classes import read_class_names
from .data import Corpus
from .drawing import draw
from .results import RESULTS, save_rows
from .runs import load_run, run_parser

DRAWN = 140  # nodes of the drawing


@torch.inference_mode()
def name_nodes(args: argparse.Namespace) -> list[dict[str, str]]:
    """A row for each node that was not trained on; writes the drawing."""
    config, model, device, origin = load_run(args)
    print(f"[{origin}]")
    config = replace(config, data=args.data or config.data)
    corpus = Corpus(config)
    classes = read_class_names(config, corpus.classes)
    everyone = list(range(len(corpus.graph)))
    batch = {name: tensor.to(device) for name, tensor in corpus.whole(everyone).items()}
    scores = model(batch).float().cpu()[:, : len(classes)]
    shares, picks = scores.softmax(dim=-1).max(dim=-1)  # (N,) each
    names = [*corpus.classes, ""]  # the last one is -1
    labels = [names[i] for i in corpus.labels.tolist()]
    trained = set(corpus.train)
    rows = [
        {
            "node": corpus.ids[i],
            "predicted": classes[picks[i]],
            "probability": f"{shares[i]:.4f}",
            "label": labels[i],
        }
        for i in everyone
        if i not in trained
    ]
    first = corpus.val[0] if corpus.val else 0
    seen = corpus.graph.around([first], [8] * 6, Random(config.seed))
    shown = range(min(DRAWN, len(seen.nodes)))
    edges = [(s, t) for s, t in seen.edges if max(s, t) < len(shown)]
    colours = [int(picks[seen.nodes[i]]) for i in shown]
    truth = [labels[seen.nodes[i]] for i in shown]
    wrong = [i for i in shown if truth[i] and truth[i] != classes[colours[i]]]
    RESULTS.mkdir(exist_ok=True)
    draw(len(shown), edges, colours, wrong=wrong).save(RESULTS / "graph.png")
    return rows


def main() -> None:
    """Read the flags, name, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--data", help="folder with nodes.csv and edges.csv")
    parser.add_argument("--limit", type=int, default=12, help="at most so many lines are printed")
    args = parser.parse_args()
    try:
        rows = name_nodes(args)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    path = save_rows("predictions", rows)
    for row in rows[: args.limit]:
        truth = f", labelled {row['label']}" if row["label"] else ""
        print(f"{row['node']}: {row['predicted']} ({row['probability']}){truth}")
    print(f"wrote {path} ({len(rows):,} nodes) and {RESULTS / 'graph.png'}")


if __name__ == "__main__":
    main()
