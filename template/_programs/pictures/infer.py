"""Make pictures with a trained model.

    python -m PACKAGE.infer --help

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/samples.png`, a sheet of what it made, and every picture by itself below
`results/pictures/`. What is not asked for is taken from held-out pictures. Before any training it
uses the untrained tiny model. One `--seed` always makes the same pictures.
"""

import argparse
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from .data import Corpus, prepare
from .pictures import contact_sheet, to_picture
from .results import RESULTS
from .runs import load_run
from .wishes import flags, wished


def make(args: argparse.Namespace) -> tuple[list[list[Tensor]], list[str], str]:
    """Rows of pictures for the sheet, the last of each made; captions; where they come from."""
    config, model, device, origin = load_run(args)
    prepare(config)
    batch, captions = wished(Corpus(config), args)
    moved = {name: tensor.to(device) for name, tensor in batch.items()}
    steps = config.sampling_steps if args.steps is None else args.steps
    if config.condition == "none":
        scale = 1.0
    else:
        scale = config.guidance_scale if args.guidance is None else args.guidance
    pieces = []
    for part in zip(*(tensor.split(config.micro_batch) for tensor in moved.values()), strict=True):
        wanted = dict(zip(moved, part, strict=True))
        pieces.append(model.generate(wanted, steps, args.sampler, scale).cpu())
    made = torch.cat(pieces)
    if config.image_condition == "none":
        rows = [[picture] for picture in made]
    else:
        rows = [list(pair) for pair in zip(batch["pictures"], made, strict=True)]
    return rows, captions, f"{origin}; {args.sampler}, {steps} steps, guidance {scale:g}"


def save(rows: list[list[Tensor]], captions: list[str]) -> tuple[Path, Path]:
    """Write the sheet, and what was made picture by picture."""
    sheet, folder = RESULTS / "samples.png", RESULTS / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for i, row in enumerate(rows):
        to_picture(row[-1]).save(folder / f"{i:03d}.png")
    contact_sheet([side_by_side(row) for row in rows], captions, columns=8).save(sheet)
    return sheet, folder


def side_by_side(row: list[Tensor]) -> Image.Image:
    """Pictures of a row, one beside the other on a square."""
    pictures = [to_picture(image) for image in row]
    if len(pictures) == 1:
        return pictures[0]
    width, height = sum(p.width for p in pictures), max(p.height for p in pictures)
    page = Image.new("RGB", (width, width), "white")
    for i, picture in enumerate(pictures):
        page.paste(picture, (i * pictures[0].width, (width - height) // 2))
    return page


def main() -> None:
    """Read the flags, make pictures, and save them."""
    parser = flags(__doc__)
    try:
        rows, captions, origin = make(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    sheet, folder = save(rows, captions)
    print(f"[{origin}]\nwrote {sheet} and {len(rows)} pictures below {folder}")


if __name__ == "__main__":
    main()
