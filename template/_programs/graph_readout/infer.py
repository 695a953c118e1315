"""Judge graphs by a trained model.

    python -m PACKAGE.infer --input graphs.jsonl

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.csv` with a row for each graph, `results/outputs.npz` with what every head
gave, and `results/graphs.png`, drawings of the first graphs with what was said of them. `--input`
is a JSONL file with `nodes` and `edges` of each graph; without it held-out graphs are judged.
Before any training the untrained tiny model answers.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .config import Config
from .data import Corpus, Sample, read_graphs, union
from .drawing import draw, sheet
from .results import RESULTS
from .runs import load_run, predict_run, run_parser
from .synthetic import class_names

DRAWN = 8  # graphs
MOST_NODES = 200  # of a drawing


@torch.inference_mode()
def judge(args: argparse.Namespace) -> list[dict[str, str]]:
    """A row for each graph; writes the arrays and the drawings."""
    config, model, device, origin = load_run(args)
    print(f"[{origin}]")
    if args.input is None:
        samples = Corpus(config).val[: args.limit]
    else:
        samples = read_graphs(args.input, config, answers=False)[: args.limit]
    if not samples:
        raise ValueError(f'--input "{args.input}": no graphs there')
    outputs = model({name: tensor.to(device) for name, tensor in union(samples).items()})
    outputs = {name: tensor.float().cpu() for name, tensor in outputs.items()}
    rows = [
        {"graph": str(i), "nodes": str(len(s.features)), "edges": str(s.edges.size(1) // 2)}
        for i, s in enumerate(samples)
    ]
    captions: list[list[str]] = [[] for _ in rows]
    if config.gives_label:
        classes = meaning(config)["classes"]
        shares, picks = outputs["label"][:, : len(classes)].softmax(dim=-1).max(dim=-1)
        for row, caption, share, pick in zip(rows, captions, shares, picks, strict=True):
            row |= {"predicted label": classes[pick], "probability": f"{share:.4f}"}
            caption.append(classes[pick])
    if config.gives_value:
        scale = meaning(config)
        values = outputs["value"] * scale["deviation"] + scale["mean"]
        for row, caption, value in zip(rows, captions, values, strict=True):
            row["predicted value"] = f"{value:.4g}"
            caption.append(f"{value:.2g}")
    if config.gives_embedding:
        vectors = outputs["embedding"]
        nearest = (vectors @ vectors.T).fill_diagonal_(-2.0).argmax(dim=1)
        for row, caption, other in zip(rows, captions, nearest.tolist(), strict=True):
            row["nearest graph"] = str(other)
            caption.append(f"like {other}")
    for row, sample in zip(rows, samples, strict=True):
        for name in ("label", "value"):
            row[name] = str(sample.known.get(name, ""))
    RESULTS.mkdir(exist_ok=True)
    np.savez(RESULTS / "outputs.npz", **{name: x.numpy() for name, x in outputs.items()})
    words = [f"{i}: {', '.join(caption)}" for i, caption in enumerate(captions)]
    pictures = [picture(s, w) for s, w in zip(samples[:DRAWN], words[:DRAWN], strict=True)]
    sheet(pictures).save(RESULTS / "graphs.png")
    return rows


def meaning(config: Config) -> dict:
    """What a run's answers mean: the names of classes, mean and deviation of values."""
    path = Path(config.run_dir) / "answers.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    return {"classes": class_names(config), "mean": 0.0, "deviation": 1.0}


def picture(sample: Sample, caption: str) -> Image.Image:
    """A graph, its nodes coloured by their largest feature."""
    nodes = min(len(sample.features), MOST_NODES)
    edges = [(s, t) for s, t in sample.edges.T.tolist() if s < t < nodes]
    colours = sample.features[:nodes].argmax(dim=1).tolist()
    return draw(nodes, edges, colours, side=260, caption=caption)


def main() -> None:
    """Read the flags, judge, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--input", type=Path, help="JSONL of graphs (default: held-out ones)")
    parser.add_argument("--limit", type=int, default=24, help="at most so many graphs")
    predict_run(judge, parser, "predictions", "outputs.npz", "graphs.png")


if __name__ == "__main__":
    main()
