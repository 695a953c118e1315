"""How a sound is made of what is told of it: its codes are drawn frame by frame."""

import argparse

import torch
from torch import Tensor, nn

from .config import Config
from .eval import TOP_K


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that say how to draw."""
    parser.add_argument("--temperature", type=float, default=1.0, help="0 takes the likeliest")
    parser.add_argument("--top-k", type=int, default=TOP_K, help="codes that may be drawn")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")


def make(
    model: nn.Module, batch: dict[str, Tensor], args: argparse.Namespace, config: Config
) -> Tensor:
    """A sound for each row of a batch, (B, 1, N)."""
    generator = torch.Generator(next(model.parameters()).device).manual_seed(args.seed)
    if config.conditioned:
        from .wishes import guided

        model.config = guided(config, args)
    return model.generate(batch, config.frames, args.temperature, args.top_k, generator)
