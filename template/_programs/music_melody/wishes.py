"""What a sound is asked to be: a prompt, and a melody that it follows."""

import argparse
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from .config import Config
from .data import Corpus
from .prompts import encode
from .starts import starts


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that say what is wished for."""
    parser.add_argument("--text", action="append", help="a prompt; may be repeated")
    parser.add_argument("--melody", type=Path, action="append", help="a WAV file for each prompt")
    parser.add_argument("--guidance", type=float, help="how closely to follow; 1 is plainly")


def guided(config: Config, args: argparse.Namespace) -> Config:
    """The configuration with the guidance that was asked for."""
    return config if args.guidance is None else replace(config, guidance_scale=args.guidance)


def wishes(args: argparse.Namespace, corpus: Corpus) -> tuple[dict[str, Tensor], list[str]]:
    """A batch that describes them, and a name for each of its rows."""
    config = corpus.config
    texts = args.text or [clip["text"] for clip in corpus.val[: args.count]]
    melody = starts(args.melody or [], corpus, config.frames, len(texts))
    return {"tokens": encode(texts, corpus.tokenizer, config), "melody": melody}, texts
