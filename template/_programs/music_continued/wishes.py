"""What a sound is asked to be: the rest of one that has begun."""

import argparse
from pathlib import Path

from torch import Tensor

from .data import Corpus
from .starts import starts


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that say what is wished for."""
    parser.add_argument("--opening", type=Path, action="append", help="a WAV file to continue")
    parser.add_argument("--known", type=float, default=0.25, help="share that is not drawn")


def wishes(args: argparse.Namespace, corpus: Corpus) -> tuple[dict[str, Tensor], list[str]]:
    """A batch that describes them, and a name for each of its rows."""
    paths = args.opening or []
    names = list(map(str, paths)) or [clip["sound"] for clip in corpus.val[: args.count]]
    known = max(1, round(args.known * corpus.config.frames))
    return {"opening": starts(paths, corpus, known, len(names))}, names
