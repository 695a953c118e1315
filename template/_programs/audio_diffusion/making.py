"""How a sound is made of what is told of it: noise is denoised."""

import argparse

from torch import Tensor, nn

from .config import Config
from .diffusion import SAMPLERS


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that say how to denoise."""
    steps = f"denoising steps (full preset: {Config.sampling_steps})"
    scale = f"guidance scale, 1 for none (full preset: {Config.guidance_scale:g})"
    parser.add_argument("--steps", type=int, help=steps)
    parser.add_argument("--guidance", type=float, help=scale)
    parser.add_argument("--sampler", choices=SAMPLERS, default="ddim", help="how to denoise")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")


def make(
    model: nn.Module, batch: dict[str, Tensor], args: argparse.Namespace, config: Config
) -> Tensor:
    """A sound for each row of a batch, which has the `noise` that it begins as, (B, 1, N)."""
    steps = args.steps or config.sampling_steps
    scale = config.guidance_scale if args.guidance is None else args.guidance
    return model.generate(batch, batch["noise"], steps, scale, args.sampler)
