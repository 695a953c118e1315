"""Encode pictures and decode them again.

    python -m PACKAGE.infer --pictures holiday/

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/reconstructions.png`, rows of pictures above rows of what their codes keep of them, and
`results/codes.npy`, the codes, (pictures, Z, y, x). Without `--pictures` it takes held-out ones.
Before any training it uses the untrained tiny model.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .config import Config
from .data import Corpus
from .eval import decibels
from .pictures import contact_sheet, picture_files, read_picture, to_picture, to_tensor
from .results import RESULTS
from .runs import load_run, run_parser

COLUMNS = 6  # of the sheet


def load_pictures(config: Config, source: Path | None, limit: int) -> tuple[Tensor, list[str]]:
    """At most `limit` images, (B, C, Y, X), and their names."""
    if source is None:
        corpus = Corpus(config)
        chosen = corpus.val[:limit]
        return corpus.images(chosen), [f"picture {i}" for i in chosen]
    files = picture_files(source) if source.is_dir() else [source]
    if not files or not files[0].exists():
        raise ValueError(f'--pictures "{source}": no pictures there')
    files = files[:limit]
    pixels = [read_picture(file, config.image_size, config.channels) for file in files]
    return to_tensor(pixels), [file.name for file in files]


def save(images: Tensor, made: Tensor, codes: Tensor, names: list[str]) -> tuple[Path, Path]:
    """Write the sheet and the codes."""
    RESULTS.mkdir(exist_ok=True)
    errors = (made - images).square().mean(dim=(1, 2, 3)).tolist()
    pictures, captions = [], []
    for first in range(0, len(images), COLUMNS):
        row = slice(first, first + COLUMNS)
        gap = COLUMNS - len(images[row])
        for kind, texts in (
            (images[row], names[row]),
            (made[row], [f"{decibels(error):.1f} dB" for error in errors[row]]),
        ):
            pictures += [to_picture(image) for image in kind] + [to_picture(kind[0] * 0 + 1)] * gap
            captions += texts + [""] * gap
    sheet, table = RESULTS / "reconstructions.png", RESULTS / "codes.npy"
    contact_sheet(pictures, captions, COLUMNS).save(sheet)
    np.save(table, codes.numpy())
    return sheet, table


def main() -> None:
    """Read the flags, encode, decode, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument(
        "--pictures", type=Path, help="picture, or folder of pictures (default: held-out ones)"
    )
    parser.add_argument("--limit", type=int, default=12, help="at most so many pictures")
    args = parser.parse_args()
    try:
        config, model, device, origin = load_run(args)
        images, names = load_pictures(config, args.pictures, args.limit)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    with torch.inference_mode():
        codes = model.latents(images.to(device))  # (B, C, Y, X) -> (B, Z, y, x)
        made = model.decode(codes).float().cpu()
    kept = decibels((made - images).square().mean().item())
    numbers = f"{images[0].numel():,} numbers each and {codes[0].numel():,} in code"
    print(f"{len(images)} pictures, {numbers}: {kept:.1f} dB are kept")
    sheet, table = save(images, made, codes.float().cpu(), names)
    print(f"[{origin}]\nwrote {sheet} and {table}")


if __name__ == "__main__":
    main()
