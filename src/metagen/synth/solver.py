"""Shapes for a parameter budget: stacks of equal blocks that fill it, as practice would.

The proportions follow published models: width over depth and MLP width over model width are drawn
towards a topology's customary values, widths sit on coarse grids, and the remaining freedom (depth
and MLP width) fills the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, log2, prod
from typing import TYPE_CHECKING, Any

from ..specs.errors import Problem, SpecError

if TYPE_CHECKING:
    from .topologies.stack import StackTopology

#: (budget, grid of d_model): coarser as models grow.
_WIDTH_GRID = (
    (3e6, 16), (500e6, 64), (1.5e9, 128), (7e9, 256), (4e10, 512), (float("inf"), 1024),
)  # fmt: skip

SMALL = 3e6
MAX_BUDGET = 1e12

#: A dimension larger than any count: in that base, a count shows its coefficients as digits.
MANY = 2**60

#: Coefficients of a quadratic polynomial in a width, the constant first.
Polynomial = tuple[int, int, int]

#: The searched dimensions; where one of them is pinned, the rest keeps its proportions to it.
_SEARCHED = frozenset({"d_model", "n_layers", "n_heads", "n_kv_heads", "head_dim", "d_ff"})


def below(table: tuple[tuple[float, int], ...], budget: float) -> int:
    return next(value for limit, value in table if budget < limit)


def interpolate(points: tuple[tuple[float, float], ...], x: float) -> float:
    left = max((p for p in points if p[0] <= x), default=points[0])
    right = min((p for p in points if p[0] >= x), default=points[-1])
    if left[0] == right[0]:
        return left[1]
    return left[1] + (right[1] - left[1]) * (x - left[0]) / (right[0] - left[0])


def required_fill(budget: float) -> float:
    """The least share of the budget that a solved model must use."""
    return 0.95 if budget < SMALL else 0.97


@dataclass(frozen=True, slots=True)
class Shape:
    """A candidate: its parameter count and its distance from practice.

    `base` is shared by many candidates; `found` holds the dimensions that were searched last.
    """

    base: Mapping[str, Any]
    found: tuple[tuple[str, Any], ...]
    params: int
    score: float

    @property
    def dims(self) -> dict[str, Any]:
        """The complete dimensions."""
        return {**self.base, **dict(self.found)}


@dataclass(frozen=True)
class Frame:
    """What is decided before the search.

    `given` dimensions follow from the spec (context, classes, image size), `pins` are the
    author's; `max_kv_heads` and `window` are the levers pulled so far; `counts` remembers, for
    one plan, what was already counted, and `stacks` what this module counts of stacks, whatever
    stands around them.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    pins: Mapping[str, Any] = field(default_factory=dict)
    max_kv_heads: int = 8
    window: int = 0
    counts: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)
    stacks: dict[tuple[Any, ...], Stack] = field(default_factory=dict)


@dataclass
class Stack:
    """What was counted of a stack of one `base`: outside the blocks, and of a block, by sizes."""

    outside: Polynomial | tuple[()] = ()
    blocks: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)


def stack_shapes(topology: StackTopology, budget: float, frame: Frame) -> list[Shape]:
    """Candidates for a budget, best first.

    Without pins every candidate fits the budget. Pinned dimensions beat it: where nothing fits,
    the one smallest model that they allow is returned.
    """
    return best_shapes(lambda cap: searched(topology, cap, frame), budget, bool(frame.pins))


def best_shapes(
    search: Callable[[float], Iterable[Shape]], budget: float, pinned: bool
) -> list[Shape]:
    """The candidates of `search(cap)` that fill the budget, best first, else the fullest five.

    Where none fits, the smallest is returned: of all shapes when dimensions are `pinned`, else of
    those near the budget.

    Raises:
        SpecError: the pinned dimensions leave no shape.
    """
    budget = min(budget, MAX_BUDGET)
    found = list(search(budget))
    fitting = [s for s in found if s.params <= budget]
    if not fitting:
        smallest = min((not pinned and found) or search(0), key=lambda s: s.params, default=None)
        if smallest is None:
            message = "no model has all of these dimensions; leave one of them open"
            raise SpecError([Problem("architecture.dims", message)])
        return [smallest]
    filled = [s for s in fitting if s.params >= required_fill(budget) * budget]
    return sorted(filled, key=lambda s: s.score) or sorted(fitting, key=lambda s: -s.params)[:5]


def searched(topology: StackTopology, budget: float, frame: Frame) -> Iterator[Shape]:
    base = topology.base(budget, frame)
    stack = frame.stacks.setdefault(tuple(map(str, base.values())), Stack())
    aspect = topology.aspect(budget)
    for d_model in _widths(budget, aspect, topology.bulk(base), frame.pins):
        for head_dim, n_heads in _heads(budget, d_model, frame.pins):
            dims = base | {"d_model": d_model, "n_heads": n_heads, "head_dim": head_dim}
            if "n_kv_heads" in topology.table:
                kv_heads = frame.pins.get("n_kv_heads") or _kv_heads(budget, n_heads, frame)
                dims["n_kv_heads"] = kv_heads
            yield from _fill(topology, budget, dims, aspect, frame.pins, stack)


def _affine(topology: StackTopology, dims: Mapping[str, Any], stack: Stack) -> tuple[int, int]:
    """Parameters of a block as `fixed + per_unit · d_ff`, read off one of `MANY` hidden units."""
    key = tuple(dims.get(k) for k in ("d_model", "n_heads", "n_kv_heads", "head_dim"))
    if key not in stack.blocks:
        per_unit, fixed = divmod(topology.block({**dims, "d_ff": MANY}).count(), MANY)
        stack.blocks[key] = fixed, per_unit
    return stack.blocks[key]


def _outside(topology: StackTopology, dims: Mapping[str, Any], stack: Stack) -> int:
    """Parameters outside the blocks: embeddings, final norm, head, and other networks.

    They are a polynomial of the width, quadratic at most, read off a model `MANY` wide.
    """
    if not stack.outside:
        empty = topology.build({**dims, "d_model": MANY, "n_layers": 0, "d_ff": 1}).count()
        stack.outside = quadratic(empty)
    return at(stack.outside, dims["d_model"])


def quadratic(count: int) -> Polynomial:
    """What a count is at every width, from the count at the width `MANY`."""
    return count % MANY, count // MANY % MANY, count // MANY**2


def at(polynomial: Polynomial, width: int) -> int:
    """The value of a quadratic polynomial at a width."""
    fixed, each, square = polynomial
    return fixed + (each + square * width) * width


def parabola(points: Mapping[int, int], x: int) -> int:
    """The value at `x` of the parabola through three points (Lagrange, 1795)."""
    value = Fraction(0)
    for one, height in points.items():
        others = [other for other in points if other != one]
        above, under = prod(x - other for other in others), prod(one - other for other in others)
        value += Fraction(height * above, under)
    assert value.denominator == 1, (points, x)
    return value.numerator


def _fill(
    topology: StackTopology,
    budget: float,
    dims: dict[str, Any],
    aspect: float,
    pins: Mapping[str, Any],
    stack: Stack,
) -> Iterator[Shape]:
    """Every depth in reach, with the MLP width that fills the budget at that depth."""
    d_model = dims["d_model"]
    outside = _outside(topology, dims, stack)
    fixed, per_unit = _affine(topology, dims, stack)
    step = 16 if budget < SMALL else 64
    ratio, awkward = topology.ff_ratio(dims), _awkwardness(dims)
    most = int(topology.table["n_layers"].high)
    middle = min(d_model / aspect, most)
    grid = 4 if middle > 64 else 2 if middle > 32 else 1
    depths = range(max(1, int(middle * 0.5) // grid * grid), min(ceil(middle * 2), most) + 1, grid)
    if "n_layers" in pins:
        depths = (pins["n_layers"],)
    elif "d_ff" in pins:
        each = fixed + per_unit * pins["d_ff"]
        depths = (min(most, max(1, int((budget - outside) // each))),)
    for n_layers in depths:
        room = (budget - outside) / n_layers - fixed
        d_ff = pins.get("d_ff") or max(step, int(room / per_unit) // step * step)
        slack = 2.2 if budget < 1e7 else 1.4
        if not 1 / slack <= d_ff / d_model / ratio <= slack and budget >= 5e4 and not pins:
            continue
        if "d_ff" not in pins and not pins.keys().isdisjoint(_SEARCHED):
            d_ff = min(d_ff, max(step, int(d_model * ratio * 2) // step * step))
        for width in {d_ff, pins.get("d_ff") or max(step, _round(d_ff, d_model))}:
            params = outside + n_layers * (fixed + per_unit * width)
            proportions = log2(d_model / n_layers / aspect), log2(width / d_model / ratio)
            fill = params / budget if budget else 1.0
            score = awkward + _distance(
                proportions, fill, n_layers, width == _round(width, d_model)
            )
            yield Shape(dims, (("n_layers", n_layers), ("d_ff", width)), params, score)


def _round(d_ff: int, d_model: int) -> int:
    """`d_ff` rounded down to the coarse grid that hardware and habit like."""
    grid = 64 if d_model < 512 else 128 if d_model < 1024 else 256 if d_model < 8192 else 512
    return d_ff // grid * grid


def _distance(
    proportions: tuple[float, float], fill: float, n_layers: int, round_width: bool
) -> float:
    """How far depth and MLP width are from practice: squared octaves, plus odd-number costs."""
    score = proportions[0] ** 2 + 2 * proportions[1] ** 2 + 4 * max(0.0, 1 - fill)
    score += 0.08 * (n_layers % 2) + 0.04 * (n_layers % 4 != 0 and n_layers > 16)
    return score + 0.12 * (not round_width)


def _awkwardness(dims: Mapping[str, Any]) -> float:
    """Costs of unusual widths and head counts."""
    d_model, n_heads, head_dim = dims["d_model"], dims["n_heads"], dims["head_dim"]
    score = 0.30 * (n_heads / dims.get("n_kv_heads", n_heads) > (4 if n_heads < 32 else 16))
    score += 0.10 * (n_heads % 4 != 0 and n_heads > 4)
    score += 0.10 * (n_heads % 8 != 0 and n_heads > 16)
    score += 0.05 * (d_model % 512 != 0 and d_model > 2048)
    return score + 0.25 * (head_dim == (128 if d_model < 2048 else 64) and d_model != 2048)


def _widths(budget: float, aspect: float, bulk: float, pins: Mapping[str, Any]) -> list[int]:
    if "d_model" in pins:
        return [pins["d_model"]]
    if {"n_heads", "head_dim"} <= pins.keys():
        return [pins["n_heads"] * pins["head_dim"]]
    grid = below(_WIDTH_GRID, budget)
    if "n_heads" in pins:
        grid = max(grid, pins["n_heads"])
        grid -= grid % pins["n_heads"]
    depth = pins.get("n_layers")
    ideal = (budget / bulk / depth) ** 0.5 if depth else (budget * aspect / bulk) ** (1 / 3)
    low, high = max(32, ideal * 0.55), ideal * 1.5
    first = max(grid, ceil(low / grid) * grid)
    return list(range(first, max(first, int(high)) + 1, grid))


def _heads(budget: float, d_model: int, pins: Mapping[str, Any]) -> list[tuple[int, int]]:
    """`(head_dim, n_heads)` pairs for a width."""
    if "head_dim" in pins and "n_heads" in pins:
        return [(pins["head_dim"], pins["n_heads"])]
    if "n_heads" in pins:
        return [(max(2, d_model // pins["n_heads"]), pins["n_heads"])]
    sizes = (pins["head_dim"],) if "head_dim" in pins else (64, 128)
    kv = pins.get("n_kv_heads", 1)
    pairs = []
    for size in sizes:
        n_heads = max(kv, round(d_model / size) // kv * kv, 1)
        exact = n_heads * size == d_model
        if exact or (size == 64 and d_model < 512 and budget < SMALL) or "head_dim" in pins:
            pairs.append((size, n_heads))
    return pairs or [(64, max(kv, d_model // 64 // kv * kv, 1))]


def _kv_heads(budget: float, n_heads: int, frame: Frame) -> int:
    """No groups below 50M, groups of about three below 1B, eight key-value heads beyond."""
    wanted = n_heads / 3 if 5e7 <= budget < 1e9 else n_heads
    fitting = [k for k in range(1, frame.max_kv_heads + 1) if n_heads % k == 0]
    return min(fitting, key=lambda k: (abs(log2(k / wanted)), -k))
