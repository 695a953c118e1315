"""What a sound is asked to be: a prompt, a beginning, or both."""

import argparse

from torch import Tensor

from .config import Config
from .data import Corpus
from .noise import starting_noise


def add_flags(parser: argparse.ArgumentParser, config: type[Config] = Config) -> None:
    """The flags that say what is wished for."""
    if config.conditioned:
        parser.add_argument("--prompt", action="append", help="what to play; may be repeated")
    if config.continued:
        parser.add_argument("--opening", action="append", help="a WAV file to continue")


def wishes(args: argparse.Namespace, corpus: Corpus) -> tuple[dict[str, Tensor], list[str]]:
    """A batch that describes them, with noise to begin with, and a name for each of its rows."""
    config, clips, batch = corpus.config, corpus.val[: args.count], {}
    if config.conditioned:
        names = args.prompt or [clip["text"] for clip in clips]
    else:
        names = args.opening or [clip["sound"] for clip in clips]
    if config.continued:
        from .starts import starts

        paths = args.opening or []
        names = [names[i % len(names)] for i in range(max(len(names), len(paths)))]
        batch["opening"] = starts(paths, corpus, config.given_frames, len(names))
    if config.conditioned:
        from .prompts import encode

        batch["tokens"] = encode(names, corpus.tokenizer, config)
    batch["noise"] = starting_noise(config, args.seed, len(names))
    return batch, names
