"""Boxes that a model finds or that are there, and how far they cover each other."""

from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from .drawing import colour
from .pictures import to_picture


@dataclass(frozen=True)
class Answer:
    """Objects of one picture: classes (n,), confidence (n,), and boxes (n, 4)."""

    labels: Tensor
    scores: Tensor
    boxes: Tensor

    def where(self, chosen: Tensor) -> "Answer":
        """The objects that a mask or a list of rows chooses."""
        return Answer(self.labels[chosen], self.scores[chosen], self.boxes[chosen])


def answers(model: nn.Module, images: Tensor) -> list[Answer]:
    """What every query finds, each with the likeliest class that is one."""
    found = model(images)
    chances = found["logits"].float().softmax(dim=-1)[..., :-1]  # (B, Q, V)
    scores, labels = (t.cpu() for t in chances.max(dim=-1))
    boxes = found["boxes"].float().cpu()
    return [Answer(*each) for each in zip(labels, scores, boxes, strict=True)]


def truths(batch: dict[str, Tensor]) -> list[Answer]:
    """What a batch says of each of its pictures."""
    found = []
    for labels, boxes in zip(batch["labels"], batch["boxes"], strict=True):
        real = labels >= 0
        found.append(Answer(labels[real], torch.ones(int(real.sum())), boxes[real]))
    return found


def guess(label: int, box: Tensor, side: int) -> Answer:
    """One object of a class in a box."""
    return Answer(torch.tensor([label]), torch.ones(1), box[None])


def iou(first: Answer, second: Answer) -> Tensor:
    """Intersection over union of every pair, (n, m)."""
    low, high = edges(first.boxes[:, None]), edges(second.boxes)
    shared = torch.minimum(low[1], high[1]) - torch.maximum(low[0], high[0])  # (n, m, 2)
    shared = shared.clamp(min=0).prod(dim=-1)
    areas = first.boxes[:, None, 2:].prod(dim=-1) + second.boxes[:, 2:].prod(dim=-1)
    return shared / (areas - shared).clamp(min=1e-9)


def edges(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The corners of boxes with the least and with the greatest coordinates, (..., 2) each."""
    centre, size = boxes.split(2, dim=-1)
    return centre - size / 2, centre + size / 2


def drawn(image: Tensor, answer: Answer, names: list[str], side: int) -> Image.Image:
    """A picture with the boxes of an answer, `side` pixels wide."""
    picture = to_picture(image).resize((side, side), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(picture)
    low, high = edges(answer.boxes * side)
    for label, a, b in zip(answer.labels.tolist(), low.tolist(), high.tolist(), strict=True):
        ink = colour(label + 1)
        draw.rectangle((*a, *b), outline=ink, width=2)
        draw.text((a[0] + 3, a[1] + 1), name_of(label, names), fill=ink)
    return picture


def described(answer: Answer, names: list[str]) -> list[dict]:
    """The objects as plain values; boxes as left, top, width and height in shares of the side."""
    rows = zip(answer.labels.tolist(), answer.scores.tolist(), answer.boxes.tolist(), strict=True)
    return [
        {
            "class": name_of(label, names),
            "score": round(score, 4),
            "box": [round(v, 4) for v in (x - w / 2, y - h / 2, w, h)],
        }
        for label, score, (x, y, w, h) in rows
    ]


def name_of(label: int, names: list[str]) -> str:
    """The name of a class, or its number where it has none."""
    return names[label] if label < len(names) else str(label)
