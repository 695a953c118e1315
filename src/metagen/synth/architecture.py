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
from .parts.decoder_lm import DecoderLM
from .release import Note
from .solver import MAX_BUDGET, Frame, Shape, minimum, required_fill, shapes

MAX_CONTEXT = 1024**2
#: Bytes of one sample where the spec states no context: the modality is not text.
NATIVE_CONTEXT = 8192
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
    """The constraints in base units."""

    params: float
    memory: float  # the budget, or the device's memory where that is smaller
    context: int
    tokens_per_s: float
    first_token_s: float
    throughput: float
    device: Device
    pins: Mapping[str, Any]
    precision: str | None
    counts: dict[tuple[int, ...], tuple[int, int]] = field(default_factory=dict)

    @property
    def max_pos(self) -> int:
        """The context that the model is built for."""
        return self.pins.get("max_pos", min(self.context, MAX_CONTEXT))


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
    model: DecoderLM
    precision: str
    context: int
    memory: estimates.Memory
    decode_rate: float
    first_token: float
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


def blueprint(spec: Any) -> Blueprint:
    """The blueprint of a resolved spec.

    Raises:
        SpecError: for a budget below the smallest model, and for dimensions that do not exist or
            contradict each other.
    """
    demands = read_demands(spec)
    levers, cap = _settle(demands)
    candidates = _candidates(cap, levers, demands)
    design = _design(candidates[0], levers.precision, demands)
    runners_up = tuple(_design(s, levers.precision, demands) for s in candidates[1:5])
    unhelped = _design(_candidates(demands.params, _free(demands), demands)[0],
                       _free(demands).precision, demands)  # fmt: skip
    given_up = tuple(_given_up(design, unhelped, demands))
    rows = tuple(_report(design, unhelped, given_up, demands))
    return Blueprint(design, demands, rows, given_up, runners_up)


def read_demands(spec: Any) -> Demands:
    """The spec's constraints in base units, its pinned dimensions checked."""
    constraints = spec.constraints
    pins, problems = read_pins(spec.architecture.dims or {})
    budget = min(constraints.parameter_budget.max.value, MAX_BUDGET)
    if not problems and not pins and budget < minimum():
        least = fmt.count(minimum() + 50)
        problems.append(
            Problem(
                "constraints.parameter_budget.max",
                f"{constraints.parameter_budget.max.text} is below the smallest decoder-only "
                f"transformer, which has {minimum():,} parameters",
                allowed=f"{least} or more",
            )
        )
    if problems:
        raise spec.error(problems)
    device = INFERENCE[constraints.device]
    latency = estimates.LATENCY[constraints.latency]
    rate = constraints.throughput
    counted = rate is not None and rate.unit == "tok/s"
    return Demands(
        params=budget,
        memory=min(constraints.memory_budget.value, device.memory)
        if constraints.memory_budget.value < inf
        else inf,
        context=_context(spec, pins),
        tokens_per_s=latency["tokens_per_s"],
        first_token_s=latency["first_token_s"],
        throughput=rate.value if counted else 0.0,
        device=device,
        pins=pins,
        precision=spec.architecture.precision,
    )


def _context(spec: Any, pins: Mapping[str, Any]) -> int:
    """Tokens of context asked for; a pinned `max_pos` is the answer where the spec states none."""
    window = spec.constraints.context_window
    if "max_pos" in pins and "context_window" not in spec.stated.get("constraints", {}):
        return min(pins["max_pos"], MAX_CONTEXT)
    return int(min(window.value, MAX_CONTEXT)) if window else NATIVE_CONTEXT


def constraint_notes(spec: Any, plan: Blueprint) -> Iterator[Note]:
    """Notes on constraints: infinities, units that mean nothing here, and what was given up."""
    constraints = spec.constraints
    if constraints.context_window and constraints.context_window.is_infinite:
        yield Note(
            "infinite_context",
            "constraints.context_window",
            f"∞ tokens exceed what any address space has been observed to hold; "
            f"approximated by {fmt.tokens(MAX_CONTEXT)}",
        )
    if constraints.parameter_budget.max.is_infinite:
        yield Note(
            "infinite_budget",
            "constraints.parameter_budget.max",
            f"∞ parameters are bounded by the other constraints, and by {fmt.count(MAX_BUDGET)}",
        )
    rate = constraints.throughput
    if rate is not None and rate.unit != "tok/s":
        yield Note(
            "incommensurable_throughput",
            "constraints.throughput",
            f"{rate.text} does not constrain a model that emits tokens; state tok/s instead",
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
    return min(demands.params, 1.2 * minimum())


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
    free = _free(demands)
    choices: list[tuple[str, tuple[Any, ...]]] = [
        ("window", (free.window,)),
        ("precision", PRECISIONS if demands.precision is None else ()),
        ("kv_heads", KV_HEADS),
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
    rotary = demands.pins.get("pos", "rope") != "learned"
    window = WINDOW if demands.max_pos > WINDOW and rotary else 0
    return Levers(KV_HEADS[-1], demands.precision or PRECISIONS[-1], window)


def _violated(cap: float, levers: Levers, demands: Demands) -> frozenset[str]:
    shape = _candidates(cap, levers, demands)[0]
    return _design(shape, levers.precision, demands).violated


def _candidates(cap: float, levers: Levers, demands: Demands) -> list[Shape]:
    frame = Frame(demands.pins, demands.max_pos, levers.kv_heads, levers.window, demands.counts)
    return shapes(cap, frame)


def _design(shape: Shape, precision: str, demands: Demands) -> Design:
    dims = shape.dims
    model = DecoderLM(dims)
    context = min(demands.context, dims["max_pos"])
    memory = estimates.inference_memory(model, dims, precision, context, demands.device)
    prompt = min(estimates.PROMPT, context)
    decode = estimates.decode_rate(model, precision, prompt, demands.device)
    first = estimates.prefill_seconds(model, precision, prompt, demands.device)
    broken = {
        "parameter_budget": shape.params > demands.params,
        "memory_budget": memory.peak > demands.memory,
        "context_window": dims["max_pos"] < demands.context,
        "latency": decode < demands.tokens_per_s or first > demands.first_token_s,
        "throughput": decode < demands.throughput,
        "device": demands.memory < inf and memory.peak > demands.device.memory,
    }
    violated = frozenset(name for name, is_broken in broken.items() if is_broken)
    return Design(dims, model, precision, context, memory, decode, first, violated)


def _given_up(design: Design, unhelped: Design, demands: Demands) -> Iterator[str]:
    """What the constraints cost, in the documented order, as phrases."""
    mine, full = design.dims, unhelped.dims
    if demands.pins and design.model.count() == unhelped.model.count():
        full = mine | {"n_kv_heads": full["n_kv_heads"]}
    if mine["n_heads"] // mine["n_kv_heads"] > full["n_heads"] // full["n_kv_heads"]:
        yield f"key-value heads ({mine['n_kv_heads']} serve {mine['n_heads']} query heads)"
    if design.precision != unhelped.precision:
        yield f"precision ({design.precision} weights instead of {unhelped.precision})"
    if mine["sliding_window"] and not full["sliding_window"]:
        yield f"full attention (a sliding window of {fmt.tokens(mine['sliding_window'])} tokens)"
    fixed = {"n_layers", "d_model"} <= demands.pins.keys()
    if not fixed and design.model.count() < required_fill(demands.params) * unhelped.model.count():
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
    yield row(
        "memory_budget",
        f"at most {fmt.memory(demands.memory)}",
        fmt.memory(memory.peak),
        f"{design.precision} weights, state at the context, activations of a "
        f"{estimates.PREFILL_CHUNK}-token chunk and workspace, batch 1",
        bound("memory_budget"),
    )
    yield row(
        "context_window",
        f"{fmt.tokens(demands.context)} tokens",
        f"{fmt.tokens(design.dims['max_pos'])} tokens",
        f"a window of {fmt.tokens(design.dims['sliding_window'])} tokens slides over the context"
        if design.dims["sliding_window"]
        else "full attention over the context",
        bound("context_window"),
    )
    speed = (
        f"{fmt.rate(design.decode_rate, 'tok/s')}, first token in {fmt.seconds(design.first_token)}"
    )
    method = (
        f"roofline on {demands.device.name}, {estimates.PROMPT}-token prompt, "
        f"{estimates.BANDWIDTH_EFFICIENCY:.0%} of bandwidth, "
        f"{estimates.PREFILL_EFFICIENCY:.0%} of arithmetic peak"
    )
    asked = "no bound"
    if demands.tokens_per_s:
        asked = (
            f"at least {fmt.rate(demands.tokens_per_s, 'tok/s')}, "
            f"first token within {fmt.seconds(demands.first_token_s)}"
        )
    yield row("latency", asked, speed, method, bound("latency"))
    if demands.throughput:
        yield row(
            "throughput",
            f"at least {fmt.rate(demands.throughput, 'tok/s')}",
            fmt.rate(design.decode_rate, "tok/s"),
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
