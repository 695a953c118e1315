"""Name what pictures show.

    python -m PACKAGE.infer --pictures holiday/

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.png`, the pictures with their likeliest classes, and `results/predictions.csv`.
Without `--pictures` it takes held-out ones, whose wrong answers are red. Before any training it
uses the untrained tiny model.
"""

import argparse
import csv
from pathlib import Path

import torch
from torch import Tensor

from .config import Config
from .data import Corpus, class_names
from .pictures import contact_sheet, picture_files, read_picture, to_picture, to_tensor
from .results import RESULTS
from .runs import load_run, run_parser

Row = tuple[str, str, float, str]  # picture, predicted class, its probability, true class or ""


def load_pictures(config: Config, source: str | None, limit: int) -> tuple[Tensor, list[str], list]:
    """At most `limit` images, (B, C, Y, X), their names, and their labels where they are known."""
    if source is None:
        corpus = Corpus(config)
        chosen = corpus.val[:limit]
        batch = corpus.stack(chosen)
        return batch["images"], [f"picture {i}" for i in chosen], batch["labels"].tolist()
    path = Path(source)
    files = picture_files(path) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise ValueError(f'--pictures "{source}": no pictures there')
    files = files[:limit]
    images = to_tensor([read_picture(f, config.image_size, config.channels) for f in files])
    return images, [str(f) for f in files], [None] * len(files)


def predict(args: argparse.Namespace) -> tuple[Tensor, list[Row], str]:
    """The images, a row about each, and a line on where the answers come from."""
    config, model, device, origin = load_run(args)
    names = class_names(config)
    images, titles, labels = load_pictures(config, args.pictures, args.limit)
    with torch.inference_mode():
        scores = model(images.to(device))[:, : len(names)]
    probabilities = scores.float().softmax(dim=-1)  # (B, V)
    best = probabilities.max(dim=-1)
    answers = zip(titles, best.indices.tolist(), best.values.tolist(), labels, strict=True)
    rows = [
        (title, names[answer], share, "" if label is None else names[label])
        for title, answer, share, label in answers
    ]
    return images, rows, origin


def save(images: Tensor, rows: list[Row]) -> tuple[Path, Path]:
    """Write the contact sheet and the table."""
    RESULTS.mkdir(exist_ok=True)
    captions = [f"{answer} {share:.0%}" for _, answer, share, _ in rows]
    colours = ["black" if truth in ("", answer) else "red" for _, answer, _, truth in rows]
    sheet, table = RESULTS / "predictions.png", RESULTS / "predictions.csv"
    contact_sheet([to_picture(image) for image in images], captions, colours=colours).save(sheet)
    with open(table, "w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["picture", "predicted", "probability", "label"])
        lines.writerows((p, answer, f"{share:.4f}", truth) for p, answer, share, truth in rows)
    return sheet, table


def main() -> None:
    """Read the flags, predict, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument(
        "--pictures", help="picture, or folder of pictures (default: held-out ones)"
    )
    parser.add_argument("--limit", type=int, default=24, help="at most so many pictures")
    try:
        images, rows, origin = predict(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    for title, answer, share, truth in rows[:8]:
        print(f"{title}: {answer} ({share:.0%})" + (f", is {truth}" if truth else ""))
    sheet, table = save(images, rows)
    print(f"[{origin}]\nwrote {sheet} and {table}")


if __name__ == "__main__":
    main()
