"""Boxes as centre, width and height in shares of the picture, and how well they agree."""

import torch
from torch import Tensor


def corners(boxes: Tensor) -> Tensor:
    """Left, top, right and bottom of boxes, (..., 4) -> (..., 4)."""
    centre, size = boxes.split(2, dim=-1)
    return torch.cat((centre - size / 2, centre + size / 2), dim=-1)


def generalised_iou(first: Tensor, second: Tensor) -> Tensor:
    """Generalised intersection over union (Rezatofighi et al. 2019), (..., 4) twice -> (...)."""
    a, b = corners(first), corners(second)
    overlap = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    shared = overlap.clamp(min=0).prod(dim=-1)
    union = first[..., 2:].prod(dim=-1) + second[..., 2:].prod(dim=-1) - shared
    outer = hull.prod(dim=-1)
    return shared / union.clamp(min=1e-9) - (outer - union) / outer.clamp(min=1e-9)
