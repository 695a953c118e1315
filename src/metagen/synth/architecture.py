"""From constraints to a blueprint: the largest model that honours them, and what it gave up.

Where the budget's own model breaks a constraint, levers are pulled in a documented order: fewer
key-value heads, lower weight precision (bf16, int8, int4), a sliding window, and only then size.
The largest size that the full set of levers can save is found first; levers are then released
again, last first, wherever every constraint still holds without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, exp, inf, log
from typing import Any

from ..specs.errors import Problem
from ..utils import formatting as fmt
from . import estimates
from .devices import INFERENCE, Device
from .dims import read_pins
from .parts.base import Part
from .release import Note
from .solver import MAX_BUDGET, Frame, Shape, required_fill
from .topologies.base import Pace, Topology

KV_HEADS = (8, 4, 2, 1)
PRECISIONS = ("bf16", "int8", "int4")
WINDOW = 4096


@dataclass(frozen=True)
class Levers:
    """What has been given up so far, short of size."""

    kv_heads: int = KV_HEADS[0]
    precision: str = PRECISIONS[0]
    window: int = 0


@dataclass(frozen=True)
class Demands:
    """The constraints in base units; `context` is 0 where the topology has none."""

    topology: Topology
    params: float
    memory: float  # the budget, or the device's memory where that is smaller
    context: int
    latency: str
    throughput: float
    device: Device
    given: Mapping[str, Any]
    pins: Mapping[str, Any]
    precision: str | None
    counts: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Constraint:
    """One row of the feasibility report; `asked` and `achieved` are formatted quantities."""

    constraint: str
    asked: str
    achieved: str
    satisfied: bool
    binding: bool
    given_up: str
    method: str


@dataclass(frozen=True)
class Design:
    """A complete model under given levers, with everything measured against the demands."""

    dims: Mapping[str, Any]
    model: Part
    precision: str
    context: int
    memory: estimates.Memory
    pace: Pace
    violated: frozenset[str]


@dataclass(frozen=True)
class Blueprint:
    """The chosen design, the report on its constraints, and its runners-up."""

    design: Design
    demands: Demands
    constraints: tuple[Constraint, ...]
    given_up: tuple[str, ...]
    runners_up: tuple[Design, ...]

    def fidelity(self, k: int) -> float:
        """Spec-Fidelity@k: the best share of satisfied constraints among the top k blueprints."""
        total = len(self.constraints)
        pool = (self.design, *self.runners_up)[:k]
        return max(1 - len(design.violated) / total for design in pool)


def blueprint(spec: Any, topology: Topology) -> Blueprint:
    """The blueprint of a resolved spec.

    Raises:
        SpecError: for a budget below the smallest model, and for dimensions that do not exist or
            contradict each other.
    """
    demands = read_demands(spec, topology)
    levers, cap = _settle(demands)
    candidates = _candidates(cap, levers, demands)
    design = _design(candidates[0], levers.precision, demands)
    runners_up = tuple(_design(s, levers.precision, demands) for s in candidates[1:5])
    free = _free(demands)
    unhelped = _design(_candidates(demands.params, free, demands)[0], free.precision, demands)
    given_up = tuple(_given_up(design, unhelped, demands))
    rows = tuple(_report(design, unhelped, given_up, demands))
    return Blueprint(design, demands, rows, given_up, runners_up)


def read_demands(spec: Any, topology: Topology) -> Demands:
    """The spec's constraints in base units, its pinned dimensions checked."""
    constraints = spec.constraints
    pins, problems = read_pins(topology.table, topology.aliases, spec.architecture.dims or {})
    given = topology.given(spec)
    problems = problems or topology.contradictions(given | pins)
    budget = min(constraints.parameter_budget.max.value, MAX_BUDGET)
    least = topology.least(given)
    if not problems and not pins and budget < least:
        problems.append(
            Problem(
                "constraints.parameter_budget.max",
                f"{constraints.parameter_budget.max.text} is below the smallest {topology.phrase}, "
                f"which has {least:,} parameters",
                allowed=f"{fmt.count(least * 1.005)} or more",
            )
        )
    if problems:
        raise spec.error(problems)
    device = INFERENCE[constraints.device]
    rate = constraints.throughput
    context = given.get("max_pos", 0)
    if "max_pos" in pins and "context_window" not in spec.stated.get("constraints", {}):
        context = pins["max_pos"]  # the author's answer, where the spec asks for nothing else
    return Demands(
        topology=topology,
        params=budget,
        memory=min(constraints.memory_budget.value, device.memory)
        if constraints.memory_budget.value < inf
        else inf,
        context=context,
        latency=constraints.latency,
        throughput=rate.value if rate is not None and rate.unit == topology.rate_unit else 0.0,
        device=device,
        given=given,
        pins=pins,
        precision=spec.architecture.precision,
    )


def constraint_notes(spec: Any, plan: Blueprint) -> Iterator[Note]:
    """Notes on constraints: infinities, units that mean nothing here, and what was given up."""
    constraints = spec.constraints
    if constraints.context_window and constraints.context_window.is_infinite:
        context = plan.demands.context
        served = f"approximated by {fmt.tokens(context)}" if context else "this model keeps none"
        yield Note(
            "infinite_context",
            "constraints.context_window",
            f"∞ tokens exceed what any address space has been observed to hold; {served}",
        )
    if constraints.parameter_budget.max.is_infinite:
        yield Note(
            "infinite_budget",
            "constraints.parameter_budget.max",
            f"∞ parameters are bounded by the other constraints, and by {fmt.count(MAX_BUDGET)}",
        )
    rate = constraints.throughput
    topology = plan.demands.topology
    if rate is not None and rate.unit != topology.rate_unit:
        yield Note(
            "incommensurable_throughput",
            "constraints.throughput",
            f"{rate.text} does not constrain a {topology.phrase}; "
            f"state {topology.rate_unit} instead",
        )
    for row in plan.constraints:
        if not row.satisfied:
            yield Note(
                "unsatisfied",
                f"constraints.{row.constraint}",
                f"asked for {row.asked}, achieved {row.achieved}",
            )
    if plan.given_up:
        yield Note("given_up", "constraints", f"given up: {'; '.join(plan.given_up)}")


def _settle(demands: Demands) -> tuple[Levers, float]:
    """The levers to pull and the parameter cap to solve for."""
    free, full = _free(demands), _full(demands)
    if not _violated(demands.params, free, demands):
        return free, demands.params
    hopeless = _violated(_smallest(demands), full, demands)
    cap = demands.params
    if _violated(cap, full, demands) - hopeless:
        cap = _largest(full, demands, hopeless)
    return _release(cap, full, demands, hopeless), cap


def _smallest(demands: Demands) -> float:
    return min(demands.params, 1.2 * demands.topology.least(demands.given))


def _largest(levers: Levers, demands: Demands, hopeless: frozenset[str]) -> float:
    """The largest cap under which nothing but the hopeless is violated, to about a percent."""
    low, high = log(_smallest(demands)), log(demands.params)
    while high - low > 0.005:
        middle = (low + high) / 2
        fits = not _violated(exp(middle), levers, demands) - hopeless
        low, high = (middle, high) if fits else (low, middle)
    return exp(low)


def _release(cap: float, levers: Levers, demands: Demands, hopeless: frozenset[str]) -> Levers:
    """Undo levers, last first, as far as every constraint still holds."""
    available = demands.topology.levers
    choices: list[tuple[str, tuple[Any, ...]]] = [
        ("window", (0,) if "window" in available else ()),
        ("precision", PRECISIONS if demands.precision is None else ()),
        ("kv_heads", KV_HEADS if "kv_heads" in available else ()),
    ]
    for name, values in choices:
        for value in values:
            trial = replace(levers, **{name: value})
            if not _violated(cap, trial, demands) - hopeless:
                levers = trial
                break
    return levers


def _free(demands: Demands) -> Levers:
    return Levers(precision=demands.precision or PRECISIONS[0])


def _full(demands: Demands) -> Levers:
    available = demands.topology.levers
    length = demands.pins.get("max_pos", demands.context)
    slides = "window" in available and demands.pins.get("pos", "rope") != "learned"
    return Levers(
        KV_HEADS[-1] if "kv_heads" in available else KV_HEADS[0],
        demands.precision or PRECISIONS[-1],
        WINDOW if slides and length > WINDOW else 0,
    )


def _violated(cap: float, levers: Levers, demands: Demands) -> frozenset[str]:
    shape = _candidates(cap, levers, demands)[0]
    return _design(shape, levers.precision, demands).violated


def _candidates(cap: float, levers: Levers, demands: Demands) -> list[Shape]:
    frame = Frame(demands.given, demands.pins, levers.kv_heads, levers.window, demands.counts)
    return demands.topology.shapes(cap, frame)


def _design(shape: Shape, precision: str, demands: Demands) -> Design:
    dims, topology, device = shape.dims, demands.topology, demands.device
    model = topology.build(dims)
    context = min(demands.context, dims.get("max_pos", 0))
    memory = topology.memory(model, dims, precision, context, device)
    pace = topology.pace(model, dims, precision, context, device)
    broken = {
        "parameter_budget": shape.params > demands.params,
        "memory_budget": memory.peak > demands.memory,
        "context_window": context < demands.context,
        "latency": topology.too_slow(pace, demands.latency),
        "throughput": pace.rate < demands.throughput,
        "device": demands.memory < inf and memory.peak > device.memory,
    }
    violated = frozenset(name for name, is_broken in broken.items() if is_broken)
    return Design(dims, model, precision, context, memory, pace, violated)


def _given_up(design: Design, unhelped: Design, demands: Demands) -> Iterator[str]:
    """What the constraints cost, in the documented order, as phrases."""
    mine, full = design.dims, unhelped.dims
    if "n_kv_heads" in mine:
        groups, most = (d["n_heads"] // d["n_kv_heads"] for d in (mine, full))
        if groups > most:
            yield f"key-value heads ({mine['n_kv_heads']} serve {mine['n_heads']} query heads)"
    if design.precision != unhelped.precision:
        yield f"precision ({design.precision} weights instead of {unhelped.precision})"
    if mine.get("sliding_window") and not full["sliding_window"]:
        yield f"full attention (a sliding window of {fmt.tokens(mine['sliding_window'])} tokens)"
    fixed = {"n_layers", "d_model"} <= demands.pins.keys()
    least = required_fill(demands.params) * demands.params
    if not fixed and design.model.count() < least <= unhelped.model.count():
        sizes = fmt.count(design.model.count()), fmt.count(demands.params)
        yield f"size ({sizes[0]} of {sizes[1]} parameters)"


def _report(
    design: Design, unhelped: Design, given_up: tuple[str, ...], demands: Demands
) -> Iterator[Constraint]:
    """One row per constraint; it binds when the unconstrained model would have broken it."""
    params, memory = design.model.count(), design.memory
    sacrifice = "; ".join(given_up)
    filled = params >= required_fill(demands.params) * demands.params

    def row(name: str, asked: str, achieved: str, method: str, binding: bool) -> Constraint:
        lost = sacrifice if binding and name != "parameter_budget" else ""
        return Constraint(name, asked, achieved, name not in design.violated, binding, lost, method)

    def bound(name: str) -> bool:
        return name in unhelped.violated

    yield row(
        "parameter_budget",
        f"at most {fmt.count(demands.params)} parameters",
        f"{fmt.count(params)} parameters",
        "counted from the module tree, tied tensors once",
        filled or params > demands.params,
    )
    prompt_chunk = demands.topology.prompt_chunk
    reads = memory.state and demands.context
    chunk = f"activations of a {prompt_chunk}-token chunk" if reads and prompt_chunk else ""
    state = ", state at the context" if reads else ", state" if memory.state else ""
    yield row(
        "memory_budget",
        f"at most {fmt.memory(demands.memory)}",
        fmt.memory(memory.peak),
        f"{design.precision} weights, {chunk or 'activations'}{state} and workspace, batch 1",
        bound("memory_budget"),
    )
    if demands.context:
        how, lost = demands.topology.context_served(design.dims)
        served = row(
            "context_window",
            f"{fmt.tokens(demands.context)} tokens",
            f"{fmt.tokens(design.dims['max_pos'])} tokens",
            how,
            bound("context_window"),
        )
        yield replace(served, given_up=served.given_up or lost)
    topology, pace = demands.topology, design.pace
    method = (
        f"{pace.method}, {estimates.BANDWIDTH_EFFICIENCY:.0%} of bandwidth, "
        f"{estimates.PREFILL_EFFICIENCY:.0%} of arithmetic peak"
    )
    yield row(
        "latency",
        topology.latency_asked(demands.latency),
        topology.latency_achieved(pace),
        method,
        bound("latency"),
    )
    if demands.throughput:
        yield row(
            "throughput",
            f"at least {fmt.rate(demands.throughput, topology.rate_unit)}",
            fmt.rate(pace.rate, topology.rate_unit),
            method,
            bound("throughput"),
        )
    devices = 1 if demands.memory < inf else ceil(memory.peak / demands.device.memory)
    yield row(
        "device",
        f"{demands.device.name} ({fmt.memory(demands.device.memory)})",
        f"{fmt.memory(memory.peak)} on {devices} device{'s' if devices > 1 else ''}",
        "peak inference memory against the memory of the reference device; "
        "with an unlimited memory budget the model is sharded",
        bound("device"),
    )
