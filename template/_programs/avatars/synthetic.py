"""The built-in takes: a face whose mouth opens as loudly as it sounds.

The prompt decides the colour of the face and the pitch of its voice; when it speaks, and how loud,
is random. Every take begins in silence, with the mouth shut.
"""

import math
from random import Random

import torch
from torch import Tensor

from .config import Config

COLOURS = {
    "red": (0.9, -0.5, -0.5),
    "green": (-0.5, 0.7, -0.4),
    "blue": (-0.5, -0.2, 0.9),
    "yellow": (0.9, 0.8, -0.5),
}
VOICES = {"low": 150.0, "high": 420.0}  # Hz
GROUND, DARK = -0.2, -0.95
SOFT = 1.5  # pixels over which an edge fades
MOUTH = (0.3, 0.36, 0.3)  # half its width, its middle below that of the face, half its full height


def caption(number: int) -> str:
    """What the take of a number shows, such as "a red face speaks low"."""
    number, voice = divmod(number, len(VOICES))
    colour = list(COLOURS)[number % len(COLOURS)]
    return f"a {colour} face speaks {list(VOICES)[voice]}"


def synthetic_take(text: str, config: Config, rng: Random) -> tuple[Tensor, Tensor]:
    """Frames and sound of a caption, (Z, P, Y, X) and (N,); the same for a state of `rng`."""
    _, colour, _, _, voice = text.split()
    pace, seconds = rng.uniform(0.9, 1.6), config.frames / config.fps  # syllables a second
    loud = [rng.choice((0.0, rng.uniform(0.5, 1.0))) for _ in range(math.ceil(pace * seconds))]
    loud[rng.randrange(len(loud))] = 1.0  # nobody is silent throughout
    strength = torch.tensor(loud)

    def envelope(time: Tensor) -> Tensor:
        """How loud it is at times in seconds, between 0 and 1."""
        swell = 0.5 - 0.5 * torch.cos(2 * math.pi * pace * time)
        return swell * strength[(pace * time).long().clamp(max=len(loud) - 1)]

    samples = config.chunks * config.chunk_codes * config.code_samples
    time = torch.arange(samples) / config.sample_rate
    tone = torch.sin(2 * math.pi * (VOICES[voice] * time + rng.random()))
    moments = torch.arange(config.frames) / config.fps
    paint = torch.tensor(COLOURS[colour])
    if config.channels != 3:
        paint = paint.mean().expand(config.channels)
    aside = rng.uniform(-0.08, 0.08)
    return face(envelope(moments), paint, aside, config), 0.7 * envelope(time) * tone


def face(opening: Tensor, paint: Tensor, aside: float, config: Config) -> Tensor:
    """A face with its mouth opened so far, (Z,) -> (Z, P, Y, X)."""
    ticks = (torch.arange(config.image_size) + 0.5) * 2 / config.image_size - 1
    x, y = ticks[None, None, :] - aside, ticks[None, :, None]

    def inside(across: float, along: Tensor | float, dx: float, dy: float) -> Tensor:
        """Where an ellipse lies, with soft edges, (Z or 1, 1, Y, X)."""
        distance = (((x - dx) / across).square() + ((y - dy) / along).square()).sqrt() - 1
        nearest = torch.as_tensor(along).clamp(max=across)
        return (0.5 - distance * nearest * config.image_size / 2 / SOFT).clamp(0, 1)[:, None]

    width, below, height = MOUTH
    picture = GROUND + (paint[:, None, None] - GROUND) * inside(0.8, 0.9, 0.0, 0.0)
    for side in (-0.32, 0.32):
        picture = picture + (DARK - picture) * inside(0.12, 0.12, side, -0.3)
    gap = 0.05 + (height - 0.05) * opening[:, None, None]  # (Z, 1, 1)
    return picture + (DARK - picture) * inside(width, gap, 0.0, below)


def mouth_opening(frames: Tensor) -> Tensor:
    """How dark it is where built-in faces have their mouths, (..., P, Y, X) -> (...)."""
    rows = ((torch.arange(frames.size(-2)) + 0.5) * 2 / frames.size(-2) - 1 - MOUTH[1]).abs()
    columns = ((torch.arange(frames.size(-1)) + 0.5) * 2 / frames.size(-1) - 1).abs()
    window = (rows < MOUTH[2])[:, None] & (columns < MOUTH[0])[None]
    return -frames[..., window].mean(dim=(-1, -2))
