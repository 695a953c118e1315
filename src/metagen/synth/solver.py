"""Shapes for a parameter budget: the decoder language model that fills it, as practice would.

The proportions follow published models: width over depth and MLP width over model width are drawn
towards curves through the GPT-2, Llama, Qwen and SmolLM families, widths sit on coarse grids, and
the remaining freedom (depth and MLP width) fills the budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil, log2, log10
from typing import Any

from .dims import DIMS
from .parts.decoder_lm import Block, DecoderLM

#: (log10 of the budget, d_model / n_layers): TinyStories-1M … GPT-2, SmolLM2, Llama 3, Llama 3.1.
_ASPECT = ((6, 24), (7, 36), (8, 56), (9, 90), (9.8, 124), (10.5, 104), (10.9, 104), (11.6, 128))

#: Bytes and specials, padded to a multiple of 64.
BYTE_VOCABULARY = 320

#: (budget, vocabulary): bytes below 20M; then a share of the parameters that stays near a tenth.
_VOCABULARY = (
    (20e6, BYTE_VOCABULARY), (40e6, 4096), (80e6, 8192), (300e6, 16384), (700e6, 32768),
    (3e9, 49152), (6e9, 65536), (float("inf"), 131072),
)  # fmt: skip

#: (budget, grid of d_model): coarser as models grow.
_WIDTH_GRID = (
    (3e6, 16), (500e6, 64), (1.5e9, 128), (7e9, 256), (4e10, 512), (float("inf"), 1024),
)  # fmt: skip

UNTIED_FROM = 4e9
SMALL = 3e6
MAX_BUDGET = 1e12

#: What the smallest decoder worth generating looks like.
_FLOOR = {"d_model": 32, "n_layers": 1, "n_heads": 1, "n_kv_heads": 1, "head_dim": 64, "d_ff": 64}


def _below(table: tuple[tuple[float, int], ...], budget: float) -> int:
    return next(value for limit, value in table if budget < limit)


def _interpolate(points: tuple[tuple[float, float], ...], x: float) -> float:
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

    `base` holds every dimension but depth and MLP width, which are searched last.
    """

    base: Mapping[str, Any]
    n_layers: int
    d_ff: int
    params: int
    score: float

    @property
    def dims(self) -> dict[str, Any]:
        """The complete dimensions."""
        return dict(self.base) | {"n_layers": self.n_layers, "d_ff": self.d_ff}


@dataclass(frozen=True)
class Frame:
    """What is decided before the search: pins, context, and the levers pulled so far.

    `counts` remembers, for one plan, what was already counted.
    """

    pins: Mapping[str, Any]
    max_pos: int
    max_kv_heads: int = 8
    window: int = 0
    counts: dict[tuple[int, ...], tuple[int, int]] = field(default_factory=dict)


def base_dims(budget: float, frame: Frame) -> dict[str, Any]:
    """Everything but the searched widths, heads and depth."""
    dims = {name: dim.default for name, dim in DIMS.items()}
    dims["vocab_size"] = _below(_VOCABULARY, budget)
    dims["tied"] = budget < UNTIED_FROM
    dims["max_pos"] = frame.max_pos
    dims["sliding_window"] = frame.window
    dims.update(frame.pins)
    if dims["pos"] == "learned" and not dims["pos_rows"]:
        dims["pos_rows"] = dims["max_pos"]
    if dims["rope_theta"] is None:
        dims["rope_theta"] = rope_theta(dims["max_pos"])
    return dims


def rope_theta(max_pos: int) -> float:
    """Rotary base by context: Llama 2 to 8k, Llama 3 to 128k, Qwen2.5-1M beyond."""
    return 1e4 if max_pos <= 8192 else 5e5 if max_pos <= 131072 else 1e7


def minimum() -> int:
    """Parameters of the smallest model that the family can sensibly make."""
    return DecoderLM({**base_dims(0, Frame({}, 1024)), **_FLOOR}).count()


def shapes(budget: float, frame: Frame) -> list[Shape]:
    """Candidates for a budget, best first.

    Without pins every candidate fits the budget. Pinned dimensions beat it: where nothing fits,
    the one smallest model that they allow is returned.
    """
    budget = min(budget, MAX_BUDGET)
    fitting = [s for s in _search(budget, frame) if s.params <= budget]
    if not fitting and frame.pins:
        return [min(_search(0, frame), key=lambda s: s.params)]
    filled = [s for s in fitting if s.params >= required_fill(budget) * budget]
    best_fill = sorted(fitting, key=lambda s: -s.params)[:5]
    return sorted(filled, key=lambda s: s.score) or best_fill


def _search(budget: float, frame: Frame) -> Iterator[Shape]:
    base = base_dims(budget, frame)
    aspect = _interpolate(_ASPECT, log10(max(budget, 1e5)))
    for d_model in _widths(budget, aspect, frame.pins):
        for head_dim, n_heads in _heads(budget, d_model, frame.pins):
            n_kv_heads = frame.pins.get("n_kv_heads") or _kv_heads(budget, n_heads, frame)
            dims = base | {
                "d_model": d_model,
                "n_heads": n_heads,
                "n_kv_heads": n_kv_heads,
                "head_dim": head_dim,
            }
            yield from _fill(budget, dims, aspect, frame)


def _affine(dims: Mapping[str, Any], frame: Frame) -> tuple[int, int]:
    """Parameters of a block as `fixed + per_unit · d_ff`, read off two counted blocks."""
    key = (dims["d_model"], dims["n_heads"], dims["n_kv_heads"], dims["head_dim"])
    if key not in frame.counts:
        narrow, wide = (Block({**dims, "d_ff": d_ff}).count() for d_ff in (1, 2))
        frame.counts[key] = (2 * narrow - wide, wide - narrow)
    return frame.counts[key]


def _outside(dims: Mapping[str, Any], frame: Frame) -> int:
    """Parameters outside the blocks: embeddings, final norm, head."""
    key = (dims["d_model"], dims["vocab_size"], dims["tied"])
    if key not in frame.counts:
        frame.counts[key] = (DecoderLM({**dims, "n_layers": 0, "d_ff": 1}).count(), 0)
    return frame.counts[key][0]


def _fill(budget: float, dims: dict[str, Any], aspect: float, frame: Frame) -> Iterator[Shape]:
    """Every depth in reach, with the MLP width that fills the budget at that depth."""
    d_model, pins = dims["d_model"], frame.pins
    outside = _outside(dims, frame)
    fixed, per_unit = _affine(dims, frame)
    step = 16 if budget < SMALL else 64
    ratio, awkward = _ff_ratio(dims), _awkwardness(dims)
    middle = d_model / aspect
    grid = 4 if middle > 64 else 2 if middle > 32 else 1
    depths = range(max(1, int(middle * 0.5) // grid * grid), ceil(middle * 2) + 1, grid)
    if "n_layers" in pins:
        depths = (pins["n_layers"],)
    elif "d_ff" in pins:
        each = fixed + per_unit * pins["d_ff"]
        depths = (max(1, int((budget - outside) // each)),)
    for n_layers in depths:
        room = (budget - outside) / n_layers - fixed
        d_ff = pins.get("d_ff") or max(step, int(room / per_unit) // step * step)
        slack = 2.2 if budget < 1e7 else 1.4
        if not 1 / slack <= d_ff / d_model / ratio <= slack and budget >= 5e4 and not pins:
            continue
        if "d_ff" not in pins and not pins.keys().isdisjoint(_FLOOR):
            d_ff = min(d_ff, max(step, int(d_model * ratio * 2) // step * step))
        for width in {d_ff, pins.get("d_ff") or max(step, _round(d_ff, d_model))}:
            params = outside + n_layers * (fixed + per_unit * width)
            proportions = log2(d_model / n_layers / aspect), log2(width / d_model / ratio)
            fill = params / budget if budget else 1.0
            score = awkward + _distance(
                proportions, fill, n_layers, width == _round(width, d_model)
            )
            yield Shape(dims, n_layers, width, params, score)


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
    score = 0.30 * (n_heads / dims["n_kv_heads"] > (4 if n_heads < 32 else 16))
    score += 0.10 * (n_heads % 4 != 0 and n_heads > 4)
    score += 0.10 * (n_heads % 8 != 0 and n_heads > 16)
    score += 0.05 * (d_model % 512 != 0 and d_model > 2048)
    return score + 0.25 * (head_dim == (128 if d_model < 2048 else 64) and d_model != 2048)


def _ff_ratio(dims: Mapping[str, Any]) -> float:
    """The customary d_ff / d_model: 4 for plain MLPs, 8/3 gated, 3.5 where heads are grouped."""
    if dims["mlp"] == "plain":
        return 4.0
    return 3.5 if dims["n_kv_heads"] * 4 <= dims["n_heads"] else 8 / 3


def _widths(budget: float, aspect: float, pins: Mapping[str, Any]) -> list[int]:
    if "d_model" in pins:
        return [pins["d_model"]]
    if {"n_heads", "head_dim"} <= pins.keys():
        return [pins["n_heads"] * pins["head_dim"]]
    grid = _below(_WIDTH_GRID, budget)
    if "n_heads" in pins:
        grid = max(grid, pins["n_heads"])
        grid -= grid % pins["n_heads"]
    depth = pins.get("n_layers")
    ideal = (budget / 13 / depth) ** 0.5 if depth else (budget * aspect / 13) ** (1 / 3)
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
