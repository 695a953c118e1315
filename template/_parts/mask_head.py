"""A mask for every query: how much each pixel's features agree with it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config

MASK_WEIGHT = 5.0  # of both mask losses (Cheng et al. 2022, section 4.1)


class MaskHead(nn.Module):
    """Pixel features from coarse to fine, and their products with the queries (Cheng et al. 2021).

    A mask is scored at the resolution of the backbone's first stage.
    """

    def __init__(self, config: Config):
        super().__init__()
        dim, finer = config.d_model, config.hidden_sizes[:-1]
        self.laterals = nn.ModuleList(nn.Conv2d(width, dim, 1) for width in finer)
        self.smooth = nn.ModuleList(nn.Conv2d(dim, dim, 3, padding=1) for _ in finer)
        self.pixel_proj = nn.Conv2d(dim, dim, 1)
        self.query_proj = nn.ModuleList(nn.Linear(dim, dim) for _ in range(3))

    def forward(self, found: Tensor, features: list[Tensor]) -> Tensor:
        x = features[-1]  # (B, D, Y, X), the encoder's
        stages = zip(self.laterals, self.smooth, features[:-1], strict=True)
        for lateral, smooth, feature in reversed(list(stages)):
            x = F.interpolate(x, feature.shape[-2:]) + lateral(feature)
            x = F.relu(smooth(x))
        pixels = self.pixel_proj(x)  # (B, D, Y, X)
        for linear in self.query_proj[:-1]:
            found = F.relu(linear(found))
        found = self.query_proj[-1](found)  # (B, Q, D)
        return (found @ pixels.flatten(2)).unflatten(2, pixels.shape[-2:])  # (B, Q, Y, X)


def mask_losses(scores: Tensor, masks: Tensor) -> Tensor:
    """Cross-entropy and Dice loss of paired masks, (n, Y, X) and (n, side, side)."""
    if not len(scores):
        return scores.sum()
    scores = F.interpolate(scores[:, None].float(), masks.shape[-2:], mode="bilinear")[:, 0]
    entropy = F.binary_cross_entropy_with_logits(scores, masks)
    shares = scores.sigmoid().flatten(1)  # (n, side * side)
    masks = masks.flatten(1)
    overlap = 2 * (shares * masks).sum(dim=1) + 1
    dice = 1 - overlap / (shares.sum(dim=1) + masks.sum(dim=1) + 1)
    return MASK_WEIGHT * (entropy + torch.mean(dice))
