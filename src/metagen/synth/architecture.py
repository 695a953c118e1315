"""From constraints to a blueprint: the largest model that honours them, and what it gave up.

Where the budget's own model breaks a constraint, levers are pulled in a documented order: fewer
key-value heads, lower weight precision (bf16, int8, int4), a sliding window, and only then size.
The largest size that the full set of levers can save is found first; levers are then released
again, last first, wherever every constraint still holds without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from math import exp, inf, log
from typing import Any

from ..specs.errors import Problem, SpecError
from ..utils import formatting as fmt
from . import estimates
from .devices import INFERENCE, Device
from .dims import read_pins
from .feasibility import Constraint, given_up, report
from .parts.base import Part
from .serving import AS_SPECIFIED, Rehearsal, Scenario, Serving, rehearse
from .solver import MAX_BUDGET, Frame, Shape, Stack
from .topologies.base import Pace, Topology

KV_HEADS = (8, 4, 2, 1)
PRECISIONS = ("bf16", "int8", "int4")
WINDOW = 4096
MAX_TENSORS = 100_000
"""The longest state dict that is listed; 61 layers of 384 experts have 70 thousand entries."""


@dataclass(frozen=True)
class Levers:
    """What has been given up so far, short of size."""

    kv_heads: int = KV_HEADS[0]
    precision: str = PRECISIONS[0]
    window: int = 0


@dataclass(frozen=True)
class Demands:
    """The constraints in base units; `context` is 0 where the topology has none.

    `counts`, `stacks`, `found` and `rehearsals` remember, for one plan, what was counted, which
    shapes were found, and what they come to.
    """

    topology: Topology
    params: float
    least: int  # parameters of the smallest model
    memory: float  # the budget, or the device's memory where that is smaller
    context: int
    latency: str
    throughput: float
    device: Device
    given: Mapping[str, Any]
    pins: Mapping[str, Any]
    precision: str | None
    counts: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)
    stacks: dict[tuple[Any, ...], Stack] = field(default_factory=dict)
    found: dict[tuple[float, int, int], list[Shape]] = field(default_factory=dict)
    rehearsals: dict[str, Rehearsal] = field(default_factory=dict)


@dataclass(frozen=True)
class Design:
    """A complete model under given levers, with everything measured against the demands."""

    dims: Mapping[str, Any]
    model: Part
    precision: str
    context: int
    rehearsal: Rehearsal
    serving: Serving
    violated: frozenset[str]

    @property
    def memory(self) -> estimates.Memory:
        """Peak inference memory on the device, by part."""
        return self.serving.memory

    @property
    def pace(self) -> Pace:
        """Speed of inference on the device."""
        return self.serving.pace


@dataclass(frozen=True)
class Blueprint:
    """The chosen design, the report on its constraints, and runners-up where it misses some."""

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
        SpecError: for a budget below the smallest model, and for dimensions that do not exist,
            contradict each other, or make too many tensors.
    """
    demands = read_demands(spec, topology)
    levers, cap = _settle(demands)
    candidates = _candidates(cap, levers, demands)
    design = _design(candidates[0], levers.precision, demands)
    if any(islice(design.model.named_tensors(), MAX_TENSORS, None)):
        message = "the state dict of this model is too long to list"
        allowed = f"dimensions of at most {MAX_TENSORS:,} tensors"
        raise spec.error([Problem("architecture.dims", message, allowed)])
    others = candidates[1:5] if design.violated else []  # nothing is better than all of them
    runners_up = tuple(_design(s, levers.precision, demands) for s in others)
    free, unhelped = _free(demands), design
    if levers != free or cap < demands.params:
        unhelped = _design(_candidates(demands.params, free, demands)[0], free.precision, demands)
    lost = tuple(given_up(design, unhelped, demands))
    rows = tuple(report(design, unhelped, lost, demands))
    return Blueprint(design, demands, rows, lost, runners_up)


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
        least=least,
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


def rehearsed(plan: Blueprint, scenario: Scenario) -> Blueprint:
    """The same model in another scenario; the report on the constraints stays the spec's.

    Raises:
        SpecError: for a context that the model has no positions for.
    """
    if scenario == AS_SPECIFIED:
        return plan
    design, demands = plan.design, plan.demands
    context, most = scenario.context or design.context, design.dims.get("max_pos", 0)
    if context > most:
        has = f"has positions for {fmt.tokens(most)} tokens" if most else "keeps no context"
        message = f"{fmt.tokens(context)} tokens exceed the model, which {has}"
        raise SpecError([Problem("--context", message)])
    rehearsal = rehearse(demands.topology, design.model, design.dims, context, scenario.batch)
    serving = rehearsal.on(scenario.device or demands.device, design.precision)
    return replace(
        plan, design=replace(design, context=context, rehearsal=rehearsal, serving=serving)
    )


def _settle(demands: Demands) -> tuple[Levers, float]:
    """The levers to pull and the parameter cap to solve for."""
    free, full = _free(demands), _full(demands)
    if _holds(demands.params, free, demands):
        return free, demands.params
    hopeless = _design_of(_smallest(demands), full, demands).violated
    if "memory_budget" in hopeless:  # what does not load is of no use: come as close as possible
        return full, _smallest(demands)
    cap = _largest(full, demands, hopeless)
    return _release(cap, full, demands, hopeless), cap


def _smallest(demands: Demands) -> float:
    return min(demands.params, 1.2 * demands.least)


def _largest(levers: Levers, demands: Demands, hopeless: frozenset[str]) -> float:
    """The largest cap under which nothing but the hopeless is violated, to about a percent.

    Memory and time are nearly proportional to size, so that a design says where to look for the
    next, a little beyond what it says; where that leads nowhere, it is the middle of what is left.
    """
    low, high, attempts = log(_smallest(demands)), log(demands.params), 0
    strain = _strain(demands.params, levers, demands, hopeless)
    if strain <= 1:
        return demands.params
    cap = high - log(strain) - 0.01
    if not low < cap < high:
        cap = (low + high) / 2
    while high - low > 0.005:
        strain = _strain(exp(cap), levers, demands, hopeless)
        if 0.99 <= strain <= 1:
            return exp(cap)
        low, high = (cap, high) if strain <= 1 else (low, cap)
        near = cap - log(strain) if 0 < strain < inf else cap
        near += 0.01 if strain <= 1 else -0.01
        attempts += 1
        cap = near if attempts < 8 and low < near < high else (low + high) / 2
    return exp(low)


def _strain(cap: float, levers: Levers, demands: Demands, hopeless: frozenset[str]) -> float:
    """Memory or time of the best model under a cap, whichever is more, over what may be taken.

    At most 1 where nothing but the hopeless is violated; infinite where it cannot be told by how
    much something is.
    """
    design, strain = _design_of(cap, levers, demands), 0.0
    if "memory_budget" not in hopeless:
        strain = design.memory.peak / demands.memory
    if "throughput" not in hopeless:
        strain = max(strain, demands.throughput / design.pace.rate)
    broken = design.violated - hopeless
    return strain if bool(broken) == (strain > 1) else inf if broken else 0.0


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
            if _holds(cap, trial, demands, hopeless):
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


def _holds(
    cap: float, levers: Levers, demands: Demands, hopeless: frozenset[str] = frozenset()
) -> bool:
    """Whether the best model under a cap breaks nothing but the hopeless."""
    return not _design_of(cap, levers, demands).violated - hopeless


def _design_of(cap: float, levers: Levers, demands: Demands) -> Design:
    return _design(_candidates(cap, levers, demands)[0], levers.precision, demands)


def _candidates(cap: float, levers: Levers, demands: Demands) -> list[Shape]:
    key = cap, levers.kv_heads, levers.window
    if key not in demands.found:
        known = demands.counts, demands.stacks
        frame = Frame(demands.given, demands.pins, levers.kv_heads, levers.window, *known)
        demands.found[key] = demands.topology.shapes(cap, frame)
    return demands.found[key]


def _design(shape: Shape, precision: str, demands: Demands) -> Design:
    dims, topology, device = shape.dims, demands.topology, demands.device
    context = min(demands.context, dims.get("max_pos", 0))
    rehearsal = demands.rehearsals.get(key := str(dims))
    if rehearsal is None:
        rehearsal = rehearse(topology, topology.build(dims), dims, context)
        demands.rehearsals[key] = rehearsal
    serving = rehearsal.on(device, precision)
    memory, pace = serving.memory, serving.pace
    broken = {
        "parameter_budget": shape.params > demands.params,
        "memory_budget": memory.peak > demands.memory,
        "context_window": context < demands.context,
        "latency": topology.too_slow(pace, demands.latency),
        "throughput": pace.rate < demands.throughput,
        "device": demands.memory < inf and memory.peak > device.memory,
    }
    violated = frozenset(name for name, is_broken in broken.items() if is_broken)
    return Design(dims, rehearsal.model, precision, context, rehearsal, serving, violated)
