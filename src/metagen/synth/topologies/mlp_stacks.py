"""Shapes of residual perceptrons: a width, a depth, and the hidden width that fills the budget."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2, log10
from typing import Any

from ..parts.tabular import ResidualMLP
from ..solver import Frame, Shape, best_shapes, interpolate
from .base import Topology

#: Widths that are tried: an eighth to a quarter apart, on grids that hardware likes.
WIDTHS = (8, 16, 24, *(quarters * 2**power for power in range(3, 17) for quarters in range(4, 8)))
DEPTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
#: (log10 of the budget, blocks), after the shapes that Gorishniy et al. (2021) searched.
DEPTH = ((5, 2), (6, 3), (7, 6), (9, 8), (12, 16))
RATIO = 2.0  # hidden width over width
GRIDS = (256, 128, 64, 32, 16, 8, 4, 2, 1)
ROUNDING = 0.005  # of the budget: what a coarser hidden width may leave unused


def mlp_shapes(
    topology: Topology, budget: float, frame: Frame, bases: list[dict[str, Any]], stacks: int = 1
) -> list[Shape]:
    """Candidates with `stacks` equal stacks of blocks over each of the bases, best first."""
    pinned = bool(frame.pins)

    def search(cap: float) -> Iterator[Shape]:
        for rank, base in enumerate(bases):
            for shape in _stacks(topology, base, cap, frame, stacks):
                yield Shape(shape.base, shape.found, shape.params, shape.score + 0.5 * rank)

    return best_shapes(search, budget, pinned)


def _stacks(
    topology: Topology, base: dict[str, Any], budget: float, frame: Frame, stacks: int
) -> Iterator[Shape]:
    pins = frame.pins
    customary = interpolate(DEPTH, log10(max(budget, 1e5)))
    for width in (pins["d_model"],) if "d_model" in pins else WIDTHS:
        dims = base | {"d_model": width}
        outside, fixed, per_unit = _counts(topology, dims, frame, stacks)
        if outside > budget and not pins and width > WIDTHS[0]:
            break
        depths = (pins["n_layers"],) if "n_layers" in pins else DEPTHS
        if "d_ff" in pins and "n_layers" not in pins:
            each = fixed + per_unit * pins["d_ff"]
            depths = (max(1, min(2048, int((budget - outside) // each))),)
        for depth in depths:
            room = (budget - outside) / depth - fixed
            hidden = pins.get("d_ff") or _rounded(int(room / per_unit), depth * per_unit, budget)
            if pins and "d_ff" not in pins:
                hidden = min(hidden, round(2 * RATIO * width))
            params = outside + depth * (fixed + per_unit * hidden)
            score = log2(depth / customary) ** 2 + 2 * log2(hidden / width / RATIO) ** 2
            yield Shape(dims, (("n_layers", depth), ("d_ff", hidden)), params, score)


def _counts(
    topology: Topology, dims: dict[str, Any], frame: Frame, stacks: int
) -> tuple[int, int, int]:
    """Parameters outside the blocks, and of a layer as `fixed + per_unit · d_ff`."""
    key = ("perceptron", *(repr(v) for v in dims.values()))
    if key not in frame.counts:
        outside = topology.build({**dims, "n_layers": 0, "d_ff": 1}).count()
        narrow, wide = (ResidualMLP({**dims, "d_ff": n}).count() * stacks for n in (1, 2))
        frame.counts[key] = (outside, 2 * narrow - wide)
        frame.counts[*key, "unit"] = (wide - narrow, 0)
    outside, fixed = frame.counts[key]
    return outside, fixed, frame.counts[*key, "unit"][0]


def _rounded(hidden: int, each: int, budget: float) -> int:
    """The hidden width on the coarsest grid that leaves little of the budget unused."""
    for grid in GRIDS:
        if hidden >= grid and hidden % grid * each <= ROUNDING * budget:
            return hidden // grid * grid
    return max(1, hidden)
