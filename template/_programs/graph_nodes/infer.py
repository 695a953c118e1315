"""Name the nodes of a graph.

    python -m PACKAGE.infer --limit 20

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.csv` with the likeliest class of every node that was not trained on, and
`results/graph.png`, a drawing of a part of the graph: nodes have the colours of the classes that
they are given, a red ring where the label says otherwise. `--data` names the folder of another
graph with the same features. Before any training the untrained tiny model answers.
"""

import argparse
import csv
import json
from dataclasses import replace
from pathlib import Path
from random import Random

import torch

from .checkpoint import load_model, newest_run
from .config import Config
from .data import Corpus
from .drawing import draw
from .model import build_model
from .parallel import pick_device
from .results import RESULTS

DRAWN = 140  # nodes of the drawing


@torch.inference_mode()
def name_nodes(args: argparse.Namespace) -> list[dict[str, str]]:
    """A row for each node that was not trained on; writes the drawing."""
    device = pick_device(args.device)
    run_dir = args.run_dir or newest_run()
    if run_dir is None:
        config = Config.tiny(data=args.data or "")
        model = build_model(config).to(device).eval()
        print("untrained tiny model (no run below runs/ yet; train first)")
    else:
        config, model, _ = load_model(run_dir, device)
        config = replace(config, data=args.data or config.data)
    corpus = Corpus(config)
    classes = corpus.classes
    if run_dir is not None:
        classes = json.loads((Path(run_dir) / "classes.json").read_text(encoding="utf-8"))
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run-dir", type=Path, help="folder of the run")
    parser.add_argument("--data", help="folder with nodes.csv and edges.csv")
    parser.add_argument("--limit", type=int, default=12, help="at most so many lines are printed")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    args = parser.parse_args()
    try:
        rows = name_nodes(args)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    path = RESULTS / "predictions.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=["node", "predicted", "probability", "label"])
        table.writeheader()
        table.writerows(rows)
    for row in rows[: args.limit]:
        truth = f", labelled {row['label']}" if row["label"] else ""
        print(f"{row['node']}: {row['predicted']} ({row['probability']}){truth}")
    print(f"wrote {path} ({len(rows):,} nodes) and {RESULTS / 'graph.png'}")


if __name__ == "__main__":
    main()
