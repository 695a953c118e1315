"""What the solver makes of budgets and pinned dimensions, number for number.

`shapes.txt` has the best shape for each, how many shapes there were to choose from, and their mean
score. Specifications stay and models should: look at a difference there, then

    python -m tests.engine.shapes --write
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import fsum
from pathlib import Path
from typing import Any

from metagen.specs.errors import SpecError
from metagen.synth.solver import (
    Frame,
    Shape,
    at,
    below,
    best_shapes,
    interpolate,
    parabola,
    quadratic,
    required_fill,
    searched,
)
from metagen.synth.topologies.decoder_lm import DecoderTopology
from metagen.synth.topologies.text_encoder import TextEncoderTopology

from ..records import Record

BUDGETS = tuple(m * 10**e for e in range(4, 13) for m in (1, 1.5, 2.5, 3, 5, 7, 9.9))
PINNED_BUDGETS = (3e4, 2e6, 3e6, 4e7, 5e8, 8e9, 3e11)
PINS: tuple[Mapping[str, Any], ...] = (
    {"n_layers": 1}, {"n_layers": 24}, {"n_layers": 200}, {"d_model": 48}, {"d_model": 1024},
    {"d_model": 1000}, {"d_model": 9000}, {"n_heads": 7}, {"n_heads": 40}, {"n_heads": 300},
    {"n_heads": 12, "head_dim": 64}, {"n_heads": 5, "head_dim": 96, "d_model": 512},
    {"head_dim": 96}, {"head_dim": 128}, {"head_dim": 256, "d_model": 640}, {"n_kv_heads": 3},
    {"n_kv_heads": 5, "head_dim": 128}, {"d_ff": 5000}, {"d_ff": 64}, {"n_layers": 3, "d_ff": 640},
    {"n_layers": 16, "n_heads": 8}, {"vocab_size": 256_000}, {"tied": False, "n_layers": 16},
    {"mlp": "plain", "activation": "gelu"}, {"d_model": 512, "n_layers": 8, "d_ff": 2048},
)  # fmt: skip


def budgets() -> Iterator[tuple[str, str]]:
    for topology in (DecoderTopology(), TextEncoderTopology()):
        for budget in BUDGETS:
            frame = Frame({"max_pos": 512})
            yield _asked(topology, budget, ""), _solved(topology, budget, frame)


def pins() -> Iterator[tuple[str, str]]:
    topology = DecoderTopology()
    for pinned in PINS:
        for budget in PINNED_BUDGETS:
            frame = Frame({"max_pos": 512}, pinned)
            yield _asked(topology, budget, str(dict(pinned))), _solved(topology, budget, frame)
    for heads in (1, 2, 3, 4, 16):
        for budget in PINNED_BUDGETS:
            frame = Frame({"max_pos": 512}, max_kv_heads=heads)
            asked = f"{heads} key-value heads at most"
            yield _asked(topology, budget, asked), _solved(topology, budget, frame)


def choices() -> Iterator[tuple[str, str]]:
    shapes = [Shape({}, (("d", n),), n, abs(n - 96.5)) for n in (10, 60, 94, 95, 96, 97, 98, 103)]
    for budget in (0, 9, 10, 50, 60, 96, 98.9, 100, 1e9):
        for pinned in (False, True):
            for near in (0, 90, 1000):
                asked = f"{budget} of shapes above {near}{', pinned' * pinned}"
                yield asked, _chosen(shapes, budget, pinned, near)
    yield "none of no shapes", _chosen([], 10, True, 0)
    for budget in (0, 1e6, 2999999, 3e6, 3000001, 1e12):
        yield f"fill {budget}", str(required_fill(budget))
    points = ((1.0, 10.0), (2.0, 30.0), (4.0, 40.0))
    for x in (0, 1, 1.5, 2, 3, 4, 9):
        yield f"interpolate {x}", str(interpolate(points, x))
        yield f"below {x}", str(below(((1.5, 3), (4, 5), (99, 7)), x))
        yield f"parabola {x}", str(parabola({1: 6, 2: 11, 4: 27}, int(x)))
    count = 7 + 5 * 2**60 + 3 * 2**120
    yield "quadratic", f"{quadratic(count)} {at(quadratic(count), 10)}"


def _asked(topology: Any, budget: float, more: str) -> str:
    return f"{type(topology).__name__} {budget:g} {more}".rstrip()


def _solved(topology: Any, budget: float, frame: Frame) -> str:
    try:
        best, *rest = topology.shapes(budget, frame)
    except SpecError as error:
        return f"  {error}"
    found = [*searched(topology, budget, frame)]
    shown = ("d_model", "n_layers", "n_heads", "n_kv_heads", "head_dim", "d_ff")
    dims = " ".join(str(best.dims.get(name, "-")) for name in shown)
    mean = fsum(shape.score for shape in found) / len(found) if found else 0
    total = sum(shape.params for shape in found)
    chosen = f"{dims} = {best.params} at {best.score:.5f}, then {len(rest)}"
    return f"  {chosen}; {len(found)} of {total} at {mean:.5f}"


def _chosen(shapes: list[Shape], budget: float, pinned: bool, near: int) -> str:
    def search(cap: float) -> list[Shape]:
        return [shape for shape in shapes if cap == 0 or shape.params > near]

    try:
        return "  " + " ".join(str(shape.params) for shape in best_shapes(search, budget, pinned))
    except SpecError as error:
        return f"  {error}"


RECORD = Record(Path(__file__).with_name("shapes.txt"), (budgets, pins, choices))

if __name__ == "__main__":
    RECORD.main(__doc__)
