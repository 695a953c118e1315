"""Find objects in pictures.

    python -m PACKAGE.infer --picture street.jpg

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/detections.png`, the pictures with what was found in them, for held-out ones, the
default, beside what is there; and `results/detections.json`. Before any training it uses the
untrained tiny model.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from .answers import answers, described, drawn, truths
from .data import Corpus
from .drawing import side_by_side
from .pictures import to_picture
from .readers import read_image
from .results import RESULTS
from .runs import load_run, run_parser
from .targets import collate


def detect(args: argparse.Namespace) -> tuple[list[list], list[dict], str]:
    """Rows of pictures to show, what was found in each, and where the answers come from."""
    config, model, device, origin = load_run(args)
    corpus = Corpus(config)
    if args.picture is None:
        batch = collate(config, [corpus.held_out(row) for row in range(args.count)])
        images, there = batch["images"], truths(batch)
        titles = [f"held-out picture {row}" for row in range(args.count)]
    elif not args.picture.is_file():
        raise ValueError(f"--picture {args.picture}: no such file")
    else:
        image = read_image(args.picture, config.image_size, config.channels)
        images, there, titles = torch.from_numpy(image[None].astype(np.float32)), [], [args.picture]
    with torch.inference_mode():
        found = answers(model, images.to(device))
    found = [answer.where(answer.scores >= args.threshold) for answer in found]
    columns = [there, found] if there else [found]
    rows = [
        [
            to_picture(image),
            *(drawn(image, column[i], corpus.names, args.side) for column in columns),
        ]
        for i, image in enumerate(images)
    ]
    contents = [
        {"picture": str(title), "objects": described(answer, corpus.names)}
        for title, answer in zip(titles, found, strict=True)
    ]
    return rows, contents, origin


def main() -> None:
    """Read the flags, detect, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--picture", type=Path, help="picture to look at (default: held-out ones)")
    parser.add_argument("--count", type=int, default=6, help="held-out pictures to show")
    parser.add_argument("--threshold", type=float, default=0.5, help="least confidence to show")
    parser.add_argument("--side", type=int, default=256, help="pixels of a picture on the sheet")
    args = parser.parse_args()
    try:
        rows, contents, origin = detect(args)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    RESULTS.mkdir(exist_ok=True)
    sheet = RESULTS / "detections.png"
    side_by_side(rows, args.side).save(sheet)
    record = {"origin": origin, "pictures": contents}
    table = RESULTS / "detections.json"
    table.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for content in contents:
        found = ", ".join(f"{o['class']} {o['score']:.0%}" for o in content["objects"])
        print(f"{content['picture']}: {found or 'nothing'}")
    print(f"[{origin}]\nwrote {sheet} and {table}")


if __name__ == "__main__":
    main()
