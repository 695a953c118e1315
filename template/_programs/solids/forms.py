"""The form in which shapes are denoised: signed distances on a grid, which become a mesh."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .config import Config
from .meshes import Mesh, places, points_on, surface_of, two_sided, write_obj
from .rendering import VIEWS, Angle, draw_mesh
from .sources import BuiltIn, Source

COLUMN = "edges with two faces"  # how whole a form is; see `wholeness`


def form_of(source: Source, config: Config, seed: str) -> Tensor:
    """Signed distances, cut off and scaled to between -1 and 1, (G, G, G).

    Those of files are kept in `<run_dir>/grids/`; `seed` is for forms that chance decides.
    """
    size = config.grid_size
    if isinstance(source, BuiltIn):
        found = source.distances(places(size))
    else:
        name = sha256(f"{source.name}/{size}".encode()).hexdigest()[:24]
        path = Path(config.run_dir) / "grids" / f"{name}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, source.distances(places(size)).astype(np.float32))
        found = np.load(path)
    return torch.from_numpy(found / (config.truncation * 2 / size)).float().clamp(-1, 1)


def mesh_of(form: Tensor) -> Mesh:
    """The surface of a form."""
    return surface_of(form.float().cpu().numpy())


def surface(form: Tensor, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points on the surface of a form, (count, 3)."""
    return points_on(mesh_of(form), count, rng)


def mean_form(forms: Tensor, rng: np.random.Generator) -> Tensor:
    """What many forms, (N, G, G, G), have in common: their mean."""
    return forms.mean(dim=0)


def wholeness(form: Tensor) -> float:
    """The share of edges of its mesh that have exactly two faces."""
    return two_sided(mesh_of(form)[1])


def write(form: Tensor, stem: Path) -> Path:
    """Write the mesh of a form as OBJ; return its path."""
    path = stem.with_suffix(".obj")
    write_obj(path, mesh_of(form))
    return path


def views(form: Tensor, side: int, angles: Sequence[Angle] = VIEWS) -> list[np.ndarray]:
    """Pictures of a form from several sides."""
    mesh = mesh_of(form)
    return [draw_mesh(mesh, side, view) for view in angles]
