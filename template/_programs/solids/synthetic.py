"""The built-in shapes: solids whose kind and proportions a caption decides.

Each is a function of the seed and its number. Distances are exact or, for balls that are no
spheres, near to exact at the surface.
"""

from dataclasses import dataclass
from random import Random

import numpy as np

KINDS = ("ball", "box", "cylinder", "cone", "torus", "cross")
#: How far shapes reach to the side, and up and down.
PROPORTIONS = {
    "tall thin": (0.38, 0.82),
    "flat wide": (0.80, 0.28),
    "small": (0.42, 0.42),
    "big": (0.72, 0.72),
}
JITTER = 0.08  # by what share sizes differ at random


@dataclass(frozen=True)
class Shape:
    """One solid: `width` to the side, `height` up and down from the origin."""

    kind: str
    words: str
    width: float
    height: float

    @property
    def text(self) -> str:
        """What it is, in words."""
        return f"a {self.words} {self.kind}"

    def distances(self, where: np.ndarray) -> np.ndarray:
        """Signed distances of places, (..., 3) -> (...), negative inside."""
        x, y, z = (where[..., i] for i in range(3))
        wide, high = self.width, self.height
        if self.kind == "box":
            return box(np.abs(x) - wide, np.abs(y) - high, np.abs(z) - wide)
        if self.kind == "cross":
            thick = 0.6 * min(wide, high)
            across = box(np.abs(x) - wide, np.abs(y) - thick, np.abs(z) - thick)
            up = box(np.abs(x) - thick, np.abs(y) - high, np.abs(z) - thick)
            return np.minimum(across, up)
        around = np.hypot(x, z)  # the others are turned about the second axis
        if self.kind == "ball":
            scaled = np.stack((x / wide, y / high, z / wide))
            steep = np.stack((x / wide**2, y / high**2, z / wide**2))
            far, slope = np.linalg.norm(scaled, axis=0), np.linalg.norm(steep, axis=0)
            return np.where(slope > 1e-6, far * (far - 1) / slope.clip(1e-6), -min(wide, high))
        if self.kind == "cylinder":
            return box(around - wide, np.abs(y) - high)
        if self.kind == "cone":
            return cone(around, y, wide, high)
        thick = 0.34 * wide  # a torus; tall ones are tubes
        beyond = np.maximum(np.abs(y) - (high - thick if high > 1.5 * wide else 0), 0)
        return np.hypot(around - (wide - thick), beyond) - thick

    def surface(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Points on it, (count, 3): random places in a thin shell, moved onto the surface."""
        found = np.empty((0, 3))
        while len(found) < count:
            reach = np.array([self.width, self.height, self.width]) + 0.04
            where = rng.uniform(-reach, reach, (8 * count + 500, 3))
            where = where[np.abs(self.distances(where)) < 0.04]
            for _ in range(2):
                away = self.distances(where)[:, None]
                steps = 1e-4 * np.eye(3)
                slope = [self.distances(where + s) - self.distances(where - s) for s in steps]
                slope = np.stack(slope, axis=1) / 2e-4
                where = where - away * slope / (slope**2).sum(axis=1, keepdims=True).clip(0.1)
            found = np.concatenate((found, where))
        return found[:count]


def box(*beyond: np.ndarray) -> np.ndarray:
    """Distances to a box, from how far places are beyond its sides along each axis."""
    stacked = np.stack(np.broadcast_arrays(*beyond))
    outside = np.linalg.norm(stacked.clip(0), axis=0)
    return outside + stacked.max(axis=0).clip(None, 0)


def cone(around: np.ndarray, y: np.ndarray, wide: float, high: float) -> np.ndarray:
    """Distances to a cone with its tip at the top, from the axis and along it."""
    slant = np.hypot(wide, 2 * high)
    share = (around - wide) * -wide + (y + high) * 2 * high
    share = (share / slant**2).clip(0, 1)  # the nearest place on the slant
    to_slant = np.hypot(around - wide * (1 - share), y + high - 2 * high * share)
    to_base = np.hypot((around - wide).clip(0), y + high)
    inside = (y > -high) & (2 * high * (around - wide) + wide * (y + high) < 0)
    return np.where(inside, -1, 1) * np.minimum(to_slant, to_base)


def shape(seed: int, number: int, kinds: int = len(KINDS)) -> Shape:
    """The built-in shape of a number, of the first so many kinds."""
    rest, kind = divmod(number, min(kinds, len(KINDS)))
    words = list(PROPORTIONS)[rest % len(PROPORTIONS)]
    rng = Random(f"{seed}/shape/{number}")
    wide, high = (size * rng.uniform(1 - JITTER, 1 + JITTER) for size in PROPORTIONS[words])
    return Shape(KINDS[kind], words, wide, high)
