"""What `infer` is asked for: the flags that say it, and the batch that holds it."""

import argparse
from itertools import cycle, islice
from pathlib import Path

from torch import Tensor

from . import pictures
from .config import Config
from .data import Corpus
from .diffusion import SAMPLERS
from .records import Record
from .runs import run_parser


def flags(description: str) -> argparse.ArgumentParser:
    """A parser of what this model can be asked for."""
    config = Config.full()
    parser = run_parser(description)
    if config.condition == "text":
        parser.add_argument("--prompt", action="append", help="what to show; may be repeated")
    if config.condition == "class":
        parser.add_argument("--label", action="append", help="class to show; may be repeated")
    if config.image_condition != "none":
        parser.add_argument("--picture", type=Path, help="picture to begin with, or a folder")
    if config.image_condition == "inpaint":
        parser.add_argument("--mask", type=Path, help="picture that is bright where to fill")
    parser.add_argument("--count", type=int, default=32, help="pictures to make")
    steps = f"denoising steps (full preset: {config.sampling_steps})"
    parser.add_argument("--steps", type=int, help=steps)
    parser.add_argument("--sampler", choices=SAMPLERS, default="ddim", help="way to the picture")
    if config.condition != "none":
        scale = f"weight of what is asked for; 1: none (full preset: {config.guidance_scale:g})"
        parser.add_argument("--guidance", type=float, help=scale)
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
    return parser


def wished(corpus: Corpus, args: argparse.Namespace) -> tuple[dict[str, Tensor], list[str]]:
    """The batch that is asked for, and a caption for each of its pictures."""
    if args.count < 1:
        raise ValueError(f"--count is {args.count}; it must be at least 1")
    records = [dict(record) for record in islice(cycle(corpus.val), args.count)]
    if corpus.config.condition == "text":
        replace(records, "text", args.prompt)
    if corpus.config.condition == "class":
        unknown = set(args.label or []) - set(corpus.names)
        if unknown:
            known = ", ".join(corpus.names)
            raise ValueError(f'--label "{min(unknown)}" is not a class; there are {known}')
        replace(records, "label", args.label)
    if corpus.config.image_condition == "picture":
        replace(records, "source", pictures_at(args.picture))
    if corpus.config.image_condition == "inpaint":
        replace(records, "image", pictures_at(args.picture))
    batch = corpus.stack(records, [f"{args.seed}/made/{i}" for i in range(args.count)])
    if corpus.config.image_condition == "inpaint":
        if args.mask:
            if not args.mask.exists():
                raise ValueError(f'--mask "{args.mask}": no such file')
            mask = pictures.read_picture(args.mask, corpus.config.image_size, 1)
            mask = pictures.to_tensor([mask]) > 0
            batch["masks"] = mask.float().expand_as(batch["masks"])
            batch["pictures"] = batch["images"] * (1 - batch["masks"])
    captions = [record.get("text", record.get("label", "")) for record in records]
    return batch, captions


def replace(records: list[Record], column: str, values: list[str] | None) -> None:
    """Fill a column with values in turn, if there are any."""
    if values:
        for record, value in zip(records, cycle(values), strict=False):
            record[column] = value


def pictures_at(path: Path | None) -> list[str]:
    """The pictures at a path; none without one."""
    if path is None:
        return []
    found = pictures.picture_files(path) if path.is_dir() else [path]
    if not found or not found[0].exists():
        raise ValueError(f'--picture "{path}": no picture there')
    return [str(file) for file in found]
