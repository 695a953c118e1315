"""Clips from a model: what they should show, the noise they begin as, and how they are kept."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from .config import Config
from .model import latent_shape
from .sources import Film

BATCH = 16  # clips that are denoised at once
CELL, GAP, LINE = 64, 4, 14  # pixels: side of a frame, space around it, height of a caption


def generate(
    model: nn.Module,
    config: Config,
    films: Sequence[Film],
    clips: Tensor,
    seed: int,
    steps: int | None = None,
    scale: float | None = None,
    sampler: str = "ddim",
) -> Tensor:
    """A clip for each film, (N, Z, P, Y, X), told its text and the beginning of its clip.

    Every clip follows from the seed and its place alone, whatever is made beside it.
    """
    device = next(model.parameters()).device
    steps, scale = steps or config.sampling_steps, config.guidance_scale if scale is None else scale
    made = []
    for first in range(0, len(films), BATCH):
        part = films[first : first + BATCH]
        noise = torch.stack([noise_for(config, seed, first + i) for i in range(len(part))])
        told = {}
        if config.reads_text:
            from .prompts import encode
            from .tokenizer import load_tokenizer

            texts = (film.text for film in part)
            told["tokens"] = encode(texts, load_tokenizer(config), config).to(device)
        if config.conditioned:
            start = clips[first : first + BATCH, : config.given_frames]
            told["start"] = start.to(device)
        made.append(model.generate(noise.to(device), steps, scale, sampler, **told).cpu())
    return torch.cat(made)


def noise_for(config: Config, seed: int, place: int) -> Tensor:
    """The noise that a clip begins as, like its codes."""
    generator = torch.Generator().manual_seed(Random(f"{seed}/sample/{place}").getrandbits(63))
    return torch.randn(latent_shape(config), generator=generator)


def to_picture(frame: Tensor) -> Image.Image:
    """A frame, (P, Y, X) between -1 and 1, as a picture."""
    colours = frame[torch.arange(3) % frame.size(0)]
    pixels = ((colours + 1) * 127.5).round().clamp(0, 255).byte()
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def contact_sheet(clips: Tensor, texts: Sequence[str], most: int = 8) -> Image.Image:
    """One row for each clip, (N, Z, P, Y, X): at most so many of its frames, below its text."""
    chosen = torch.linspace(0, clips.size(1) - 1, min(most, clips.size(1))).round().long()
    step = CELL + GAP
    size = (len(chosen) * step + GAP, len(clips) * (step + LINE) + GAP)
    page = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(page)
    for row, (clip, text) in enumerate(zip(clips, texts, strict=True)):
        top = GAP + row * (step + LINE)
        pen.text((GAP, top), text, fill="black")
        for column, frame in enumerate(clip[chosen]):
            picture = to_picture(frame).resize((CELL, CELL), Image.Resampling.NEAREST)
            page.paste(picture, (GAP + column * step, top + LINE))
    return page


def write_animation(path: Path, clip: Tensor, fps: float, side: int = 160) -> None:
    """Write a clip, (Z, P, Y, X), as a GIF at its rate."""
    frames = [to_picture(f).resize((side, side), Image.Resampling.NEAREST) for f in clip]
    duration = max(20, round(1000 / fps))  # milliseconds; viewers slow down what is shorter
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, loop=0)
