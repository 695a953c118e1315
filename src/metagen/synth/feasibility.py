"""The report on constraints: what each asked, what was achieved, what it cost, what would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import TYPE_CHECKING, Any

from ..utils import formatting as fmt
from . import estimates
from .devices import ACCELERATORS, Device
from .release import Note
from .solver import MAX_BUDGET, required_fill

if TYPE_CHECKING:
    from .architecture import Blueprint, Demands, Design

LATENCIES = ("real-time", "near-real-time", "offline")


@dataclass(frozen=True)
class Constraint:
    """One row of the feasibility report; `asked` and `achieved` are formatted quantities.

    `would_satisfy` is what the constraint would have to be for nothing to be missed or given up.
    """

    constraint: str
    asked: str
    achieved: str
    satisfied: bool
    binding: bool
    given_up: str
    would_satisfy: str
    method: str


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
                f"asked for {row.asked}, achieved {row.achieved}"
                + (f"; {row.would_satisfy} would do" if row.would_satisfy else ""),
            )
    if plan.given_up:
        yield Note("given_up", "constraints", f"given up: {'; '.join(plan.given_up)}")


def given_up(design: Design, unhelped: Design, demands: Demands) -> Iterator[str]:
    """What the constraints cost, in the documented order, as phrases."""
    mine, full = design.dims, unhelped.dims
    if "n_kv_heads" in mine:
        groups, most = (d["n_heads"] // d["n_kv_heads"] for d in (mine, full))
        if groups > most:
            serve = "serves" if mine["n_kv_heads"] == 1 else "serve"
            yield f"key-value heads ({mine['n_kv_heads']} {serve} {mine['n_heads']} query heads)"
    if design.precision != unhelped.precision:
        yield f"precision ({design.precision} weights instead of {unhelped.precision})"
    if mine.get("sliding_window") and not full["sliding_window"]:
        yield f"full attention (a sliding window of {fmt.tokens(mine['sliding_window'])} tokens)"
    fixed = {"n_layers", "d_model"} <= demands.pins.keys()
    least = required_fill(demands.params) * demands.params
    if not fixed and design.model.count() < least <= unhelped.model.count():
        sizes = fmt.count(design.model.count()), fmt.count(demands.params)
        yield f"size ({sizes[0]} of {sizes[1]} parameters)"


def report(
    design: Design, unhelped: Design, given_up: tuple[str, ...], demands: Demands
) -> Iterator[Constraint]:
    """One row per constraint; it binds when the unconstrained model would have broken it."""
    params, memory = design.model.count(), design.memory
    sacrifice = "; ".join(given_up)
    filled = params >= required_fill(demands.params) * demands.params

    def row(name: str, asked: str, achieved: str, method: str, binding: bool) -> Constraint:
        lost = sacrifice if binding and name != "parameter_budget" else ""
        satisfied = name not in design.violated
        wanted = unhelped if satisfied else design
        enough = _enough(name, wanted, demands) if lost or not satisfied else ""
        return Constraint(name, asked, achieved, satisfied, binding, lost, enough, method)

    def bound(name: str) -> bool:
        return name in unhelped.violated

    yield row(
        "parameter_budget",
        f"at most {fmt.count(demands.params)} parameters",
        f"{fmt.count(params)} parameters",
        "counted from the module tree, tied tensors once",
        filled or params > demands.params,
    )
    state = ", state at the context" if demands.context else ", state"
    yield row(
        "memory_budget",
        f"at most {fmt.memory(demands.memory)}",
        fmt.memory(memory.peak),
        f"{design.precision} weights{state if memory.state else ''}, activations "
        f"({design.serving.widest}) and workspace, batch 1",
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
    method = f"{pace.method}, {estimates.EFFICIENCIES}"
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


def _enough(name: str, wanted: Design, demands: Demands) -> str:
    """What a constraint would have to be for a design to satisfy it; empty if nothing would do."""
    topology = demands.topology
    if name == "parameter_budget":
        return f"{fmt.count(wanted.model.count() * 1.005)} parameters"
    if name == "memory_budget":
        return fmt.memory(wanted.memory.peak * 1.005)
    if name == "context_window":
        return f"{fmt.tokens(wanted.dims['max_pos'])} tokens"
    if name == "device":
        return _least_device(lambda device: wanted.memory.peak <= device.memory)

    def fast(device: Device) -> bool:
        here = demands.device
        if device.bandwidth <= here.bandwidth and device.peak <= here.peak:
            return False
        if wanted.memory.peak > device.memory:
            return False
        served = wanted.rehearsal.on(device, wanted.precision)
        if name == "throughput":
            return served.pace.rate >= demands.throughput
        return not topology.too_slow(served.pace, demands.latency)

    device = _least_device(fast)
    if name == "throughput":
        slower = fmt.rate(wanted.pace.rate, topology.rate_unit)
    else:
        classes = (c for c in LATENCIES if not topology.too_slow(wanted.pace, c))
        slower = next(classes, "")
    return " or ".join(filter(None, (slower, device and f"a device like {device}")))


def _least_device(suffices: Callable[[Device], bool]) -> str:
    """The catalogued device of least bandwidth that suffices, by name."""
    devices = sorted(ACCELERATORS.values(), key=lambda device: device.bandwidth)
    return next((device.name for device in devices if suffices(device)), "")
