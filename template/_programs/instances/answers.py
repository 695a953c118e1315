"""Masks that a model finds or that are there, and how far they cover each other."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from .drawing import colour
from .pictures import to_picture


@dataclass(frozen=True)
class Answer:
    """Objects of one picture: classes (n,), confidence (n,), and masks (n, side, side) of bool."""

    labels: Tensor
    scores: Tensor
    masks: Tensor

    def where(self, chosen: Tensor) -> "Answer":
        """The objects that a mask or a list of rows chooses."""
        return Answer(self.labels[chosen], self.scores[chosen], self.masks[chosen])


def answers(model: nn.Module, images: Tensor) -> list[Answer]:
    """What every query finds: the likeliest class, and the pixels that are likely its own.

    Confidence is that of the class times the mean of those pixels' (Cheng et al. 2021).
    """
    found = model(images)
    chances = found["logits"].float().softmax(dim=-1)[..., :-1]  # (B, Q, V)
    scores, labels = chances.max(dim=-1)
    masks = F.interpolate(found["masks"].float(), images.shape[-2:], mode="bilinear")
    inside = masks > 0  # (B, Q, side, side)
    sure = (masks.sigmoid() * inside).sum(dim=(2, 3)) / inside.sum(dim=(2, 3)).clamp(min=1)
    each = zip(labels.cpu(), (scores * sure).cpu(), inside.cpu(), strict=True)
    return [Answer(*picture) for picture in each]


def truths(batch: dict[str, Tensor]) -> list[Answer]:
    """What a batch says of each of its pictures."""
    found = []
    for labels, masks in zip(batch["labels"], batch["masks"], strict=True):
        real = labels >= 0
        found.append(Answer(labels[real], torch.ones(int(real.sum())), masks[real] > 0.5))
    return found


def guess(label: int, box: Tensor, side: int) -> Answer:
    """One object of a class that fills a box."""
    grid = (torch.arange(side) + 0.5) / side
    inside_x, inside_y = ((grid - box[i]).abs() <= box[i + 2] / 2 for i in (0, 1))
    return Answer(torch.tensor([label]), torch.ones(1), inside_y[None, :, None] & inside_x)


def iou(first: Answer, second: Answer) -> Tensor:
    """Intersection over union of every pair, (n, m)."""
    a, b = first.masks.flatten(1).float(), second.masks.flatten(1).float()
    shared = a @ b.T
    return shared / (a.sum(dim=1)[:, None] + b.sum(dim=1) - shared).clamp(min=1)


def drawn(image: Tensor, answer: Answer, names: list[str], side: int) -> Image.Image:
    """A picture with the masks of an answer in their classes' colours, `side` pixels wide."""
    pixels = np.asarray(to_picture(image)).astype(np.float32) * 0.5
    for label, mask in zip(answer.labels.tolist(), answer.masks.numpy(), strict=True):
        inner = (
            mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
        )
        rim = mask.copy()
        rim[1:-1, 1:-1] &= ~inner
        ink = np.array(colour(label + 1), dtype=np.float32)
        pixels[mask] = 0.4 * pixels[mask] + 0.6 * ink
        pixels[rim] = ink
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return picture.resize((side, side), Image.Resampling.NEAREST)


def described(answer: Answer, names: list[str]) -> list[dict]:
    """The objects as plain values, with their share of the pixels and their run lengths.

    Runs alternate between outside and inside, down the columns, as COCO's do.
    """
    rows = zip(answer.labels.tolist(), answer.scores.tolist(), answer.masks.numpy(), strict=True)
    return [
        {
            "class": name_of(label, names),
            "score": round(score, 4),
            "share": round(float(mask.mean()), 4),
            "counts": run_lengths(mask),
        }
        for label, score, mask in rows
    ]


def run_lengths(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of equal pixels down the columns; the first is outside, maybe empty."""
    flat = mask.T.flatten().astype(np.int8)
    cuts = np.flatnonzero(np.diff(flat, prepend=0))
    return np.diff(cuts, prepend=0, append=flat.size).tolist()


def name_of(label: int, names: list[str]) -> str:
    """The name of a class, or its number where it has none."""
    return names[label] if label < len(names) else str(label)
