"""Where shapes come from: built in, or files below `--data`.

A source has a name, what is told of it (`text`, `label`), signed distances of places, and points on
its surface.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from .config import Config
from .meshes import Mesh, distances_to, fit, points_on, read_obj
from .synthetic import KINDS, shape

BUILT_IN = 1_200  # built-in shapes


class Source(Protocol):
    """One shape, which is read when it is needed."""

    name: str
    text: str
    label: str

    def distances(self, where: np.ndarray) -> np.ndarray:
        """Signed distances of places, (..., 3) -> (...), negative inside."""

    def surface(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Points on the surface, (count, 3)."""


@dataclass(frozen=True)
class BuiltIn:
    """A built-in shape."""

    name: str
    text: str
    label: str
    seed: int
    number: int
    kinds: int

    def distances(self, where: np.ndarray) -> np.ndarray:
        return shape(self.seed, self.number, self.kinds).distances(where)

    def surface(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return shape(self.seed, self.number, self.kinds).surface(count, rng)


@dataclass(frozen=True)
class MeshFile:
    """A mesh in an OBJ file, scaled to fit."""

    path: Path
    text: str
    label: str

    @property
    def name(self) -> str:
        return str(self.path)

    def distances(self, where: np.ndarray) -> np.ndarray:
        mesh = read_mesh(self.path)
        return distances_to(mesh, where.reshape(-1, 3)).reshape(where.shape[:-1])

    def surface(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return points_on(read_mesh(self.path), count, rng)


@dataclass(frozen=True)
class CloudFile:
    """Points in a PLY or XYZ file, scaled to fit; they have no inside."""

    path: Path
    text: str
    label: str

    @property
    def name(self) -> str:
        return str(self.path)

    def distances(self, where: np.ndarray) -> np.ndarray:
        raise ValueError(f'"{self.path}" has points only; a model of surfaces needs OBJ meshes')

    def surface(self, count: int, rng: np.random.Generator) -> np.ndarray:
        points = read_cloud(self.path)
        return points[rng.choice(len(points), count, count > len(points))]


def retold(source: Source, **told: str) -> Source:
    """A source of which something else is told."""
    return replace(source, **told)


@lru_cache(maxsize=64)
def read_mesh(path: Path) -> Mesh:
    """The mesh of an OBJ file, fitted between -1 and 1."""
    vertices, faces = read_obj(path)
    if not len(faces):
        raise ValueError(f'"{path}" has no faces')
    return fit(vertices), faces


@lru_cache(maxsize=64)
def read_cloud(path: Path) -> np.ndarray:
    """The points of a PLY (ASCII) or XYZ file, fitted between -1 and 1, (N, 3)."""
    lines = path.read_text(encoding="utf-8", errors="ignore").splitlines()
    if path.suffix.lower() == ".ply":
        header = lines.index("end_header") if "end_header" in lines else 0
        if not any(line.startswith("format ascii") for line in lines[:header]):
            raise ValueError(f'"{path}" is not an ASCII PLY file')
        sizes = [line.split() for line in lines[:header] if line.startswith("element vertex")]
        lines = lines[header + 1 : header + 1 + int(sizes[0][2])]
    rows = [line.split()[:3] for line in lines if line.strip() and not line.startswith("#")]
    points = np.array([[float(number) for number in row] for row in rows if len(row) == 3])
    if not len(points):
        raise ValueError(f'"{path}" has no points')
    return fit(points)


def find_sources(config: Config) -> list[Source]:
    """The shapes that `--data` names; without it the built-in ones."""
    if not config.data:
        return list(built_in(config))
    folder = Path(config.data)
    if not folder.is_dir():
        raise ValueError(f'--data "{config.data}": no such folder')
    found: list[Source] = []
    for path in sorted(folder.rglob("*")):
        kind = {".obj": MeshFile, ".ply": CloudFile, ".xyz": CloudFile}.get(path.suffix.lower())
        if kind is None:
            continue
        beside = path.with_suffix(".txt")
        text = beside.read_text(encoding="utf-8").strip() if beside.exists() else ""
        label = path.parent.name if path.parent != folder else ""
        if config.reads_text and not text:
            continue
        if config.labelled and not label:
            continue
        found.append(kind(path, text, label))
    return found


def built_in(config: Config) -> Iterator[BuiltIn]:
    """The built-in shapes; those of the first classes only where there are fewer."""
    kinds = len(KINDS)
    if config.labelled:
        kinds = min(kinds, config.num_classes)
    for number in range(BUILT_IN):
        made = shape(config.seed, number, kinds)
        yield BuiltIn(f"built-in {number}", made.text, made.kind, config.seed, number, kinds)
