"""Pictures of shapes: a small rasteriser with a depth buffer and light from the viewer.

Pictures are bytes, (side, side, 3); places are between -1 and 1, the second axis points up.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from .meshes import Mesh

Angle = tuple[float, float]  # in degrees: how far above, and how far around

VIEWS: tuple[Angle, ...] = ((25, 30), (25, 120), (80, 30))
PAPER, CLAY = np.array([255.0, 255.0, 255.0]), np.array([120.0, 160.0, 215.0])
LIGHT = np.array([0.35, 0.55, 0.76])  # from above and beside the viewer
REACH = 1.3  # what of space a picture shows to either side of its middle


def turn(above: float, around: float) -> np.ndarray:
    """The rotation from space to what a viewer sees: right, up, and towards them."""
    up, side = np.radians(above), np.radians(around)
    about_y = np.array(
        [[np.cos(side), 0, -np.sin(side)], [0, 1, 0], [np.sin(side), 0, np.cos(side)]]
    )
    about_x = np.array([[1, 0, 0], [0, np.cos(up), -np.sin(up)], [0, np.sin(up), np.cos(up)]])
    return about_x @ about_y


def to_pixels(seen: np.ndarray, side: int) -> np.ndarray:
    """Columns, rows and nearness of places as a viewer sees them."""
    middle, scale = side / 2, side / 2 / REACH
    return np.stack((middle + scale * seen[:, 0], middle - scale * seen[:, 1], seen[:, 2]), axis=1)


def draw_mesh(mesh: Mesh, side: int, view: Angle = VIEWS[0]) -> np.ndarray:
    """A mesh as it looks from one side, each pixel of the face that is nearest to the viewer."""
    vertices, faces = mesh
    picture = np.broadcast_to(PAPER, (side, side, 3)).copy()
    if len(faces):
        seen = vertices @ turn(*view).T
        corners = to_pixels(seen, side)[faces]  # (F, 3, 3)
        a, b, c = (seen[faces[:, i]] for i in range(3))
        normals = np.cross(b - a, c - a)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-12)
        shade = 0.25 + 0.75 * np.abs(normals @ LIGHT)
        pixels, faces_there, nearness = covered(corners, side)
        order = np.argsort(nearness, kind="stable")  # what is written last is nearest
        flat = picture.reshape(-1, 3)
        flat[pixels[order]] = CLAY * shade[faces_there[order], None]
    return picture.round().clip(0, 255).astype(np.uint8)


def covered(corners: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pixel that a triangle, (F, 3, 3), covers, with its number and its nearness there.

    Triangles of like extent are walked together, pixel by pixel of their boxes; a pixel belongs to
    a triangle if none of its three barycentric coordinates is negative.
    """
    low = np.floor(corners[:, :, :2].min(axis=1)).astype(int).clip(0, side - 1)
    high = np.ceil(corners[:, :, :2].max(axis=1)).astype(int).clip(0, side - 1)
    extent = 2 ** np.ceil(np.log2((high - low + 1).max(axis=1))).astype(int)
    found = []
    for size in np.unique(extent):
        numbers = np.flatnonzero(extent == size)
        steps = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).reshape(-1, 2)
        at = low[numbers, None] + steps  # (n, size^2, 2)
        a, b, c = (corners[numbers, i][:, None] for i in range(3))
        x, y = at[..., 0] + 0.5, at[..., 1] + 0.5
        whole = (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1])
        whole = whole - (c[..., 0] - a[..., 0]) * (b[..., 1] - a[..., 1])
        whole = np.where(np.abs(whole) < 1e-12, np.inf, whole)  # seen from its edge: nowhere
        second = (x - a[..., 0]) * (c[..., 1] - a[..., 1])
        second = (second - (c[..., 0] - a[..., 0]) * (y - a[..., 1])) / whole
        third = (b[..., 0] - a[..., 0]) * (y - a[..., 1])
        third = (third - (x - a[..., 0]) * (b[..., 1] - a[..., 1])) / whole
        slack = -1e-9
        there = (second >= slack) & (third >= slack) & (second + third <= 1 - slack)
        there &= np.isfinite(whole) & (at < side).all(axis=-1)
        depth = a[..., 2] + second * (b[..., 2] - a[..., 2]) + third * (c[..., 2] - a[..., 2])
        which = np.broadcast_to(numbers[:, None], there.shape)
        found.append(((at[..., 1] * side + at[..., 0])[there], which[there], depth[there]))
    pixels, faces, nearness = (np.concatenate(part) for part in zip(*found, strict=True))
    return pixels, faces, nearness


def draw_points(points: np.ndarray, side: int, view: Angle = VIEWS[0]) -> np.ndarray:
    """Points as small discs, darker where they are nearer to the viewer."""
    at = to_pixels(points @ turn(*view).T, side)
    at = at[np.argsort(at[:, 2])]
    page = Image.new("RGB", (side, side), tuple(map(int, PAPER)))
    pen, radius = ImageDraw.Draw(page), max(1.0, side / 60)
    for x, y, near in at:
        shade = np.clip(0.75 - 0.35 * near, 0.3, 1.2)
        ink = tuple(int(value) for value in (CLAY * shade).clip(0, 255))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    return np.asarray(page)


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str]) -> Image.Image:
    """The views of every shape side by side, below its caption; two shapes to a row."""
    side, line, gap = rows[0][0].shape[0], 14, 6
    across, down = len(rows[0]) * side + gap, side + line + gap
    size = (2 * across + gap, -(-len(rows) // 2) * down + gap)
    page = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(page)
    for number, (views, caption) in enumerate(zip(rows, captions, strict=True)):
        left, top = gap + number % 2 * across, gap + number // 2 * down
        pen.text((left, top), caption.encode("latin-1", "replace").decode("latin-1"), fill="black")
        for place, view in enumerate(views):
            page.paste(Image.fromarray(view), (left + place * side, top + line))
    return page
