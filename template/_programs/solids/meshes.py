"""Meshes: surfaces of distances on a grid, points on them, distances to them, and OBJ files.

A mesh is `vertices`, (V, 3), between -1 and 1, and `faces`, (F, 3): three vertices each, counter-
clockwise as seen from outside. The second axis points up.
"""

from itertools import permutations
from pathlib import Path

import numpy as np

Mesh = tuple[np.ndarray, np.ndarray]

#: Corners of a cube, and the six tetrahedra around its diagonal, one for every order of the axes.
#: Neighbouring cubes cut the face between them alike, so no gap opens there.
CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)])
TETRAHEDRA = np.array(
    [[0, 4 >> a, (4 >> a) | (4 >> b), 7] for a, b, _ in permutations(range(3))]
)  # corner numbers are x y z in binary


def places(size: int) -> np.ndarray:
    """Where the voxels of a grid lie, (size, size, size, 3) between -1 and 1."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def surface_of(grid: np.ndarray) -> Mesh:
    """The surface where distances on a grid, (G, G, G), are zero, by marching tetrahedra.

    Every cube of eight voxels is cut into six tetrahedra, in each of which the surface is flat
    (Doi and Koide 1991; the table of cases is that of Lorensen and Cline 1987, for four corners).
    Outside of the grid is outside of the shape, so that every edge has exactly two faces.
    """
    size = grid.shape[0]
    values = np.pad(grid.astype(np.float64), 1, constant_values=1.0)
    side = size + 2
    strides = np.array([side * side, side, 1])
    values = values.ravel()
    starts = np.stack(np.meshgrid(*[np.arange(side - 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    cubes = (starts @ strides)[:, None] + CORNERS @ strides  # (cubes, 8)
    inside = values[cubes] < 0
    crossed = inside.any(axis=1) & ~inside.all(axis=1)
    corners = cubes[crossed][:, TETRAHEDRA].reshape(-1, 4)
    corners = np.take_along_axis(corners, np.argsort(values[corners] >= 0, axis=1), axis=1)
    count = (values[corners] < 0).sum(axis=1)  # corners inside; they come first
    edges = []  # triangles as three edges, from a corner inside to one outside
    for inner, triangles in (
        (1, [((0, 1), (0, 2), (0, 3))]),
        (3, [((0, 3), (1, 3), (2, 3))]),
        (2, [((0, 2), (0, 3), (1, 3)), ((0, 2), (1, 3), (1, 2))]),
    ):
        part = corners[count == inner]
        edges += [part[:, np.array(triangle)] for triangle in triangles]
    edges = np.concatenate(edges)  # (F, 3, 2)
    ends, faces = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
    inner, outer = values[ends[:, 0]], values[ends[:, 1]]
    share = (inner / (inner - outer))[:, None]
    at = np.stack(np.unravel_index(ends, (side,) * 3), axis=-1).astype(np.float64)  # (V, 2, 3)
    vertices = at[:, 0] + share * (at[:, 1] - at[:, 0])
    faces = faces.reshape(-1, 3)
    outward = (at[:, 1] - at[:, 0])[faces].sum(axis=1)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    turned = (np.cross(b - a, c - a) * outward).sum(axis=1) < 0
    faces[turned] = faces[turned][:, ::-1]
    return (vertices - 0.5) * 2 / size - 1, faces


def two_sided(faces: np.ndarray) -> float:
    """The share of edges that belong to exactly two faces: 1 for a watertight mesh, 0 for none."""
    if not len(faces):
        return 0.0
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    return float((counts == 2).mean())


def areas(mesh: Mesh) -> np.ndarray:
    """The area of every face, (F,)."""
    vertices, faces = mesh
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def volume(mesh: Mesh) -> float:
    """What a watertight mesh encloses: signed tetrahedra between the origin and its faces."""
    vertices, faces = mesh
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def points_on(mesh: Mesh, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points spread evenly at random over a surface, (count, 3); the origin if there is none."""
    vertices, faces = mesh
    sizes = areas(mesh) if len(faces) else np.zeros(0)
    if sizes.sum() <= 0:
        return np.zeros((count, 3))
    chosen = faces[rng.choice(len(faces), count, p=sizes / sizes.sum())]
    u, v = rng.random((2, count, 1))
    u = np.sqrt(u)  # so that no corner attracts them
    a, b, c = (vertices[chosen[:, i]] for i in range(3))
    return (1 - u) * a + u * (1 - v) * b + u * v * c


def distances_to(mesh: Mesh, where: np.ndarray) -> np.ndarray:
    """Signed distances of places, (N, 3) -> (N,), negative inside.

    How far: to the nearest of many points on the surface. Which side: the mesh winds around what it
    encloses by a full solid angle (Van Oosterom and Strackee 1983), holes or not.
    """
    vertices, faces = mesh
    spread = np.concatenate(
        (vertices, points_on(mesh, 20 * len(vertices) + 4000, np.random.default_rng(0)))
    )
    found = np.empty(len(where))
    chunk = max(1, 4_000_000 // len(spread))
    for first in range(0, len(where), chunk):
        part = where[first : first + chunk]
        square = (part**2).sum(1)[:, None] - 2 * part @ spread.T + (spread**2).sum(1)
        found[first : first + chunk] = np.sqrt(square.min(axis=1).clip(0))
    turns = np.empty(len(where))
    chunk = max(1, 400_000 // max(1, len(faces)))
    for first in range(0, len(where), chunk):
        part = where[first : first + chunk, None]
        a, b, c = (vertices[faces[:, i]] - part for i in range(3))  # (n, F, 3)
        la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
        above = (a * np.cross(b, c)).sum(-1)
        below = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
        turns[first : first + chunk] = np.arctan2(above, below).sum(-1) / (2 * np.pi)
    return np.where(np.abs(turns) > 0.5, -found, found)


def fit(vertices: np.ndarray, reach: float = 0.85) -> np.ndarray:
    """Vertices moved and scaled so that their box is centred and its longest side is 2 reach."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    longest = (high - low).max()
    return (vertices - (low + high) / 2) * (2 * reach / longest if longest > 0 else 1.0)


def write_obj(path: Path, mesh: Mesh) -> None:
    """Write a mesh, or vertices without faces, as Wavefront OBJ."""
    vertices, faces = mesh
    lines = ["v {:.5f} {:.5f} {:.5f}".format(*vertex) for vertex in vertices]
    lines += ["f {} {} {}".format(*face) for face in faces + 1]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_obj(path: Path) -> Mesh:
    """Vertices and faces of an OBJ file; faces of many corners become fans of triangles."""
    vertices, faces = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            vertices.append([float(number) for number in rest[:3]])
        elif word == "f":
            corners = [int(corner.partition("/")[0]) for corner in rest]
            corners = [c - 1 if c > 0 else len(vertices) + c for c in corners]
            faces += [(corners[0], *pair) for pair in zip(corners[1:], corners[2:], strict=False)]
    if not vertices or max((max(face) for face in faces), default=0) >= len(vertices):
        raise ValueError(f'"{path}" is not an OBJ file with vertices, and faces between them')
    return np.array(vertices), np.array(faces, dtype=np.int64).reshape(-1, 3)
