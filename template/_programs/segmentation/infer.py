"""Segment pictures: a class for every pixel.

    python -m PACKAGE.infer --picture street.jpg

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/segmentation.png`: the picture and its predicted classes in colours; for held-out
pictures, the default, the truth stands between. `results/segmentation.json` names the classes
and their shares of the pixels. Before any training it uses the untrained tiny model.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from .answers import answers
from .data import Corpus
from .drawing import painted, side_by_side
from .pictures import to_picture
from .readers import read_image
from .results import RESULTS
from .runs import load_run, run_parser
from .scenes import class_map


def segment(args: argparse.Namespace) -> tuple[list[list], list[dict], str]:
    """Rows of pictures to show, what each was found to contain, and where the answers come from."""
    config, model, device, origin = load_run(args)
    corpus = Corpus(config)
    if args.picture is None:
        scenes = [corpus.held_out(row) for row in range(args.count)]
        images, truths = [s.image for s in scenes], [[painted(class_map(s))] for s in scenes]
        titles = [f"held-out picture {row}" for row in range(args.count)]
    elif not args.picture.is_file():
        raise ValueError(f"--picture {args.picture}: no such file")
    else:
        images = [read_image(args.picture, config.image_size, config.channels)]
        truths, titles = [[]], [str(args.picture)]
    batch = torch.from_numpy(np.stack(images))  # (B, C, side, side)
    with torch.inference_mode():
        found = answers(model, batch.to(device)).cpu().numpy()  # (B, side, side)
    rows = [
        [to_picture(image), *truth, painted(classes)]
        for image, truth, classes in zip(batch, truths, found, strict=True)
    ]
    contents = [
        {"picture": title, "shares": shares(classes, corpus.names)}
        for title, classes in zip(titles, found, strict=True)
    ]
    return rows, contents, origin


def shares(classes: np.ndarray, names: list[str]) -> dict[str, float]:
    """The share of the pixels that each class has, by name or else by number."""
    numbers, counts = np.unique(classes, return_counts=True)
    pairs = zip(numbers.tolist(), counts.tolist(), strict=True)
    return {names[n] if n < len(names) else str(n): count / classes.size for n, count in pairs}


def main() -> None:
    """Read the flags, segment, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--picture", type=Path, help="picture to segment (default: held-out ones)")
    parser.add_argument("--count", type=int, default=6, help="held-out pictures to show")
    parser.add_argument("--side", type=int, default=256, help="pixels of a picture on the sheet")
    args = parser.parse_args()
    try:
        rows, contents, origin = segment(args)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    RESULTS.mkdir(exist_ok=True)
    sheet = RESULTS / "segmentation.png"
    side_by_side(rows, args.side).save(sheet)
    record = {"origin": origin, "pictures": contents}
    table = RESULTS / "segmentation.json"
    table.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for content in contents:
        found = ", ".join(f"{name} {share:.0%}" for name, share in content["shares"].items())
        print(f"{content['picture']}: {found}")
    print(f"[{origin}]\nwrote {sheet} and {table}")


if __name__ == "__main__":
    main()
