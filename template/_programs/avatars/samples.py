"""Streams from a model: what they should show, the noise they begin as, and how they are kept."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from .config import Config
from .model import chunk_numbers
from .prompts import encode
from .tokenizer import load_tokenizer

BATCH = 16  # streams that are denoised at once
CELL, GAP, LINE = 64, 4, 14  # pixels: side of a frame, space around it, height of a caption


def generate(
    model: nn.Module,
    config: Config,
    texts: Sequence[str],
    pictures: Tensor,
    seed: int,
    chunks: int | None = None,
    steps: int | None = None,
    scale: float | None = None,
    sampler: str = "ddim",
) -> tuple[Tensor, Tensor]:
    """Frames and sound of a stream for each text, (N, Z, P, Y, X) and (N, samples).

    `pictures` are (N, P, Y, X). Every stream follows from the seed and its place alone.
    """
    device = next(model.parameters()).device
    steps, scale = steps or config.sampling_steps, config.guidance_scale if scale is None else scale
    tokenizer, made = load_tokenizer(config), []
    for first in range(0, len(texts), BATCH):
        part = texts[first : first + BATCH]
        noises = noise_of_chunks(config, seed, range(first, first + len(part)), chunks, device)
        tokens = encode(part, tokenizer, config).to(device)
        speakers = pictures[first : first + BATCH].to(device)
        pieces = list(model.stream(noises, tokens, speakers, steps, scale, sampler))
        frames, sound = zip(*pieces, strict=True)
        made.append((torch.cat(frames, dim=1).cpu(), torch.cat(sound, dim=1).cpu()))
    frames, sound = zip(*made, strict=True)
    return torch.cat(frames), torch.cat(sound)


def noise_of_chunks(
    config: Config, seed: int, streams: range, chunks: int | None, device: torch.device
) -> Iterator[Tensor]:
    """The noise that each chunk of some streams begins as, (B, M) at a time."""
    for chunk in range(chunks or config.chunks):
        rows = []
        for stream in streams:
            state = Random(f"{seed}/{stream}/{chunk}").getrandbits(63)
            generator = torch.Generator().manual_seed(state)
            rows.append(torch.randn(chunk_numbers(config), generator=generator))
        yield torch.stack(rows).to(device)


def to_picture(frame: Tensor) -> Image.Image:
    """A frame, (P, Y, X) between -1 and 1, as a picture."""
    colours = frame[torch.arange(3) % frame.size(0)]
    pixels = ((colours + 1) * 127.5).round().clamp(0, 255).byte()
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def contact_sheet(
    streams: Tensor, sounds: Tensor, texts: Sequence[str], most: int = 10
) -> Image.Image:
    """One row for each stream, below its text: some of its frames, and its waveform under them."""
    chosen = torch.linspace(0, streams.size(1) - 1, min(most, streams.size(1))).round().long()
    step, height = CELL + GAP, CELL // 2
    row_height = LINE + CELL + height + GAP
    size = (len(chosen) * step + GAP, len(streams) * row_height + GAP)
    page = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(page)
    for row, (stream, sound, text) in enumerate(zip(streams, sounds, texts, strict=True)):
        top = GAP + row * row_height
        pen.text((GAP, top), text, fill="black")
        for column, frame in enumerate(stream[chosen]):
            picture = to_picture(frame).resize((CELL, CELL), Image.Resampling.NEAREST)
            page.paste(picture, (GAP + column * step, top + LINE))
        middle, width = top + LINE + CELL + height // 2, size[0] - 2 * GAP
        for x, piece in enumerate(sound.tensor_split(width)):
            low, high = (round(v.item() * height / 2) for v in (piece.min(), piece.max()))
            pen.line((GAP + x, middle - high, GAP + x, middle - low), fill="black")
    return page


def write_animation(path: Path, clip: Tensor, fps: float, side: int = 160) -> None:
    """Write frames, (Z, P, Y, X), as a GIF at their rate."""
    frames = [to_picture(f).resize((side, side), Image.Resampling.NEAREST) for f in clip]
    duration = max(20, round(1000 / fps))  # milliseconds; viewers slow down what is shorter
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, loop=0)
