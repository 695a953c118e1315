"""Search held-out pictures with texts, by a trained model.

    python -m PACKAGE.infer --text "a small red circle above a large blue square"

Reads the newest checkpoint of `--run-dir` (default: of the run saved last). Without `--text` the
captions of held-out pictures are the queries. Writes `results/retrieval.png`, one row for each
query with the most similar pictures first and the right one framed, and `results/retrieval.csv`.
Before any training it searches with the untrained tiny model.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from .config import Config
from .data import Corpus, load_picture, prepare
from .pictures import fitting, to_picture, to_tensor
from .results import RESULTS
from .runs import load_run, run_parser
from .samples import encode

CELL, GAP, LINE = 96, 6, 16  # pixels: side of a picture, space around it, height of a caption
FRAME = (40, 170, 80)


@dataclass(frozen=True)
class Answer:
    """A query and what it found: pairs with their similarities, best first."""

    query: str
    found: tuple[tuple[dict[str, str], float], ...]


@torch.inference_mode()
def search(args: argparse.Namespace) -> tuple[Config, list[Answer], str]:
    """The answers to all queries, and a line on where they come from."""
    config, model, device, origin = load_run(args)
    prepare(config)
    corpus = Corpus(config)
    gallery = corpus.val[: args.gallery]
    vectors = torch.cat(
        [model.embed_image(images.to(device)) for images in batches(gallery, config)]
    )  # (pictures, E)
    queries = args.text or [pair["text"] for pair in gallery[: args.queries]]
    tokens, ends = encode(queries, corpus.tokenizer, config)
    similarity = model.embed_text(tokens.to(device), ends.to(device)) @ vectors.T
    values, order = similarity.topk(min(args.top, len(gallery)), dim=1)  # (queries, top)
    answers = [
        Answer(query, tuple(zip((gallery[i] for i in picks), scores, strict=True)))
        for query, picks, scores in zip(queries, order.tolist(), values.tolist(), strict=True)
    ]
    return config, answers, f"{origin}, {len(gallery):,} pictures searched"


def batches(pairs: list[dict[str, str]], config: Config, size: int = 64) -> list[Tensor]:
    """The pictures of pairs, (size, C, Y, X) at a time."""
    pieces = (pairs[first : first + size] for first in range(0, len(pairs), size))
    return [to_tensor([load_picture(p["image"], config) for p in piece]) for piece in pieces]


def sheet(config: Config, answers: list[Answer]) -> Image.Image:
    """One row for each answer: the query above its pictures, right ones framed."""
    columns, step = max(len(a.found) for a in answers), CELL + GAP
    page = Image.new("RGB", (columns * step + GAP, len(answers) * (step + LINE) + GAP), "white")
    pen = ImageDraw.Draw(page)
    for row, answer in enumerate(answers):
        top = GAP + row * (step + LINE)
        pen.text((GAP, top), fitting(pen, answer.query, page.width - 2 * GAP), fill="black")
        for column, (pair, _) in enumerate(answer.found):
            left = GAP + column * step
            picture = to_picture(to_tensor([load_picture(pair["image"], config)])[0])
            page.paste(picture.resize((CELL, CELL), Image.Resampling.NEAREST), (left, top + LINE))
            if pair["text"] == answer.query:
                box = (left - 3, top + LINE - 3, left + CELL + 2, top + LINE + CELL + 2)
                pen.rectangle(box, outline=FRAME, width=3)
    return page


def write_csv(path: Path, answers: list[Answer]) -> None:
    """Every query with its pictures in order, their captions and similarities."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("query", "rank", "picture", "caption", "similarity"))
        for answer in answers:
            for rank, (pair, value) in enumerate(answer.found, 1):
                rows.writerow((answer.query, rank, pair["image"], pair["text"], f"{value:.4f}"))


def main() -> None:
    """Read the flags, search, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--text", action="append", help="a query; may be repeated")
    parser.add_argument("--queries", type=int, default=6, help="captions to search with")
    parser.add_argument("--gallery", type=int, default=64, help="held-out pictures to search")
    parser.add_argument("--top", type=int, default=5, help="pictures shown for each query")
    try:
        config, answers, origin = search(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    RESULTS.mkdir(exist_ok=True)
    sheet(config, answers).save(RESULTS / "retrieval.png")
    write_csv(RESULTS / "retrieval.csv", answers)
    for answer in answers:
        pair, value = answer.found[0]
        print(f"{answer.query}\n  {pair['text']} ({value:.2f})")
    print(f"\n[{origin}]\nwrote {RESULTS / 'retrieval.png'} and {RESULTS / 'retrieval.csv'}")


if __name__ == "__main__":
    main()
