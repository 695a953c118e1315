"""The form in which shapes are denoised: points on their surfaces, in no order."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .config import Config
from .rendering import VIEWS, Angle, draw_points
from .sources import Source

COLUMN = "spread of points"  # how whole a form is; see `wholeness`


def form_of(source: Source, config: Config, seed: str) -> Tensor:
    """Points that the seed chooses on the surface, (T, 3) between -1 and 1."""
    rng = np.random.default_rng(list(seed.encode()))
    return torch.from_numpy(source.surface(config.num_points, rng)).float()


def surface(form: Tensor, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points of a form, (count, 3), drawn again where it has fewer."""
    points = form.float().cpu().numpy()
    return points[rng.choice(len(points), count, count > len(points))]


def mean_form(forms: Tensor, rng: np.random.Generator) -> Tensor:
    """What many forms, (N, T, 3), have in common: points of all of them."""
    chosen = rng.choice(forms.size(0) * forms.size(1), forms.size(1), replace=False)
    return forms.flatten(0, 1)[torch.from_numpy(chosen)]


def wholeness(form: Tensor) -> float:
    """How far points are from the nearest other one, on average."""
    gaps = torch.cdist(form.float(), form.float())
    return gaps.fill_diagonal_(torch.inf).amin(dim=1).mean().item()


def write(form: Tensor, stem: Path) -> Path:
    """Write the points of a form as PLY; return its path."""
    path = stem.with_suffix(".ply")
    points = form.float().cpu().numpy()
    head = ["ply", "format ascii 1.0", f"element vertex {len(points)}"]
    head += [f"property float {axis}" for axis in "xyz"] + ["end_header"]
    rows = ["{:.5f} {:.5f} {:.5f}".format(*point) for point in points]
    path.write_text("\n".join(head + rows) + "\n", encoding="utf-8")
    return path


def views(form: Tensor, side: int, angles: Sequence[Angle] = VIEWS) -> list[np.ndarray]:
    """Pictures of a form from several sides."""
    points = form.float().cpu().numpy()
    return [draw_points(points, side, view) for view in angles]
