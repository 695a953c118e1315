"""Embed texts with a trained model and find the nearest ones.

    python -m PACKAGE.infer --file texts.txt --query "The captain lifts the lamp."

Reads the newest checkpoint of `--run-dir` (default: of the run saved last), embeds the lines of
`--file` (default: held-out texts) and writes the unit vectors to `results/embeddings.npy`, (N, E).
For `--query`, or for each text in turn, it prints the nearest texts and writes them to
`results/neighbours.json`. Before any training it asks the untrained tiny model.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .data import held_out_examples
from .results import RESULTS
from .runs import run_parser
from .trained import Trained, load_trained, read_lines

BATCH = 64


def embed(trained: Trained, texts: list[str]) -> Tensor:
    """Unit vectors of texts, (N, E)."""
    length = trained.config.text_length
    rows = [trained.codec.encode(text, length) for text in texts]
    pieces = [trained.codec.stack(rows[i : i + BATCH]) for i in range(0, len(rows), BATCH)]
    return F.normalize(torch.cat([trained.read(piece) for piece in pieces]), dim=-1)


def neighbours(args: argparse.Namespace) -> tuple[Tensor, list[dict], str]:
    """The vectors, the nearest texts of every query, and the model's origin."""
    trained = load_trained(args)
    if args.file:
        texts = read_lines(args.file)
    else:
        pairs = held_out_examples(trained.config, 16)
        texts = [text for pair in pairs for text in (pair["left"], pair["right"])]
    vectors = embed(trained, texts)  # (N, E)
    queries = [args.query] if args.query else texts
    asked = embed(trained, queries) if args.query else vectors
    cosines = asked @ vectors.T  # (queries, N)
    if not args.query:
        cosines.fill_diagonal_(-2.0)  # a text is no neighbour of itself
    found = []
    for query, row in zip(queries, cosines, strict=True):
        best = row.topk(min(args.top, len(texts) - (not args.query)))
        nearest = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        near = [{"text": texts[i], "cosine": round(cosine, 4)} for i, cosine in nearest]
        found.append({"query": query, "nearest": near})
    return vectors, found, trained.origin


def main() -> None:
    """Read the flags, embed, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--file", type=Path, help="a file with one text a line")
    parser.add_argument("--query", help="a text to find neighbours of")
    parser.add_argument("--top", type=int, default=3, help="neighbours of each text")
    try:
        vectors, found, origin = neighbours(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "embeddings.npy"
    np.save(path, vectors.numpy())
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    (RESULTS / "neighbours.json").write_text(text, encoding="utf-8")
    for entry in found[:5]:
        print(entry["query"])
        for near in entry["nearest"]:
            print(f"  {near['cosine']:.3f}  {near['text']}")
    print(f"\n[{origin}]\nwrote {path} and {RESULTS / 'neighbours.json'}")


if __name__ == "__main__":
    main()
