"""Inference on a device: the phases of an answer, their traces, and the memory and time of both.

A topology names its phases (a prompt, a decoding step, a denoising step, a decoder ...); this
module runs each as a trace, and reads a device's seconds and bytes off the traces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Any

from . import estimates
from .devices import Device
from .trace import Op, Trace

if TYPE_CHECKING:
    from .parts.base import Part
    from .topologies.base import Pace, Phase, Topology


@dataclass(frozen=True)
class Scenario:
    """A change of circumstances: another device, context (tokens) or batch; None keeps one."""

    device: Device | None = None
    context: int | None = None
    batch: int = 1


AS_SPECIFIED = Scenario()


@dataclass(frozen=True)
class Timed:
    """A phase as a device takes it.

    Attributes:
        name: what reports call it.
        times: how many such passes an answer takes; 0 where only its memory counts.
        seconds: one pass.
        limit: what limits most of it: arithmetic, bandwidth or launches.
        kernels: launches of one pass.
        flops: floating-point operations of one pass.
        moved: bytes that the kernels of one pass read and write, weights in their precision.
        peak: bytes that are alive at once, weights and state aside.
    """

    name: str
    times: float
    seconds: float
    limit: str
    kernels: int
    flops: float
    moved: float
    peak: float


@dataclass(frozen=True)
class Serving:
    """A model that answers on a device: memory in bytes, speed, and the phases behind them."""

    device: Device
    precision: str
    context: int
    batch: int
    memory: estimates.Memory
    pace: Pace
    phases: tuple[Timed, ...]

    def phase(self, name: str) -> Timed:
        """The phase of that name."""
        return next(phase for phase in self.phases if phase.name == name)

    @property
    def widest(self) -> str:
        """The phase in which most is alive."""
        return max(self.phases, key=lambda phase: phase.peak).name

    @property
    def computing(self) -> tuple[Timed, ...]:
        """The phases that an answer passes through and that compute: those of a roofline."""
        return tuple(phase for phase in self.phases if phase.times and phase.flops)

    @property
    def fits(self) -> bool:
        """Whether the memory of one device suffices."""
        return self.memory.peak <= self.device.memory


@dataclass(frozen=True)
class Rehearsal:
    """The traced phases of a model at a context and a batch; they hold for every device."""

    topology: Topology
    model: Part
    dims: Mapping[str, Any]
    context: int
    batch: int
    traces: tuple[tuple[Phase, Trace], ...]

    def on(self, device: Device, precision: str) -> Serving:
        """The same on a device, with weights of a precision."""
        topology, dims = self.topology, self.dims
        phases = tuple(
            timed
            for phase, trace in self.traces
            for timed in _timed(phase, trace, device, precision)
        )
        state = topology.state_bytes(self.model, dims, self.context) * self.batch
        memory = estimates.Memory(
            estimates.weight_bytes(self.model, precision),
            state,
            max(phase.peak for phase in phases),
            0 if device.kind == "cpu" else estimates.WORKSPACE,
        )
        pace = topology.pace({phase.name: phase for phase in phases}, dims, self.batch, device)
        return Serving(device, precision, self.context, self.batch, memory, pace, phases)


def rehearse(
    topology: Topology, model: Part, dims: Mapping[str, Any], context: int, batch: int = 1
) -> Rehearsal:
    """Trace every phase of an answer."""
    traces = tuple(
        (phase, estimates.inference_trace(lambda trace, run=phase.run: run(trace, batch)))
        for phase in topology.phases(model, dims, context)
    )
    return Rehearsal(topology, model, dims, context, batch, traces)


def _timed(phase: Phase, trace: Trace, device: Device, precision: str) -> Iterator[Timed]:
    """The stretches that a trace has marked, and the rest under the name of the phase itself."""
    rest = set(range(len(trace.ops)))
    for part in trace.phases:
        rest -= set(range(part.first, part.last))
        ops = trace.ops[part.first : part.last]
        times = phase.times * part.times
        yield _stretch(part.name, times, ops, part.peak, device, precision)
    if rest or not trace.phases:
        ops = [trace.ops[i] for i in sorted(rest)]
        yield _stretch(phase.name, phase.times, ops, trace.peak, device, precision)


def _stretch(
    name: str, times: float, ops: Sequence[Op], peak: float, device: Device, precision: str
) -> Timed:
    spared = estimates.spared_share(precision)
    limits = estimates.seconds_by_limit(ops, device, precision)
    return Timed(
        name,
        times,
        fsum(limits.values()),
        max(limits, key=limits.__getitem__),
        sum(op.times for op in ops),
        fsum(op.times * op.flops for op in ops),
        fsum(op.times * (op.moved - spared * op.weights) for op in ops),
        peak,
    )
