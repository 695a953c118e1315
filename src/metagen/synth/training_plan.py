"""The training recipe: what the hardware reaches in the stated time, and how to set it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from . import estimates
from .devices import ACCELERATORS, Device
from .parts.base import Part
from .topologies.base import Topology
from .training_costs import Layout, TrainingCosts

MEMORY_SHARE = 0.9
MOST_STEPS = 1_000_000  # of a denoiser; longer runs take larger batches instead


@dataclass(frozen=True)
class TrainingPlan:
    """A recipe in base units (seconds, bytes, FLOPs); batches count samples of `sequence` units.

    `unit` is what the topology counts (token, image, ...); `reachable`, `planned` and
    `compute_optimal` are numbers of it. `mfu` is the share of dense bf16 peak that the model's
    own FLOPs take (Chowdhery et al., 2022, appendix B). `pass_memory` and `pass_seconds` are
    those of one micro-batch and an update on one device, eager and (`True`) compiled.
    """

    device: Device
    devices: int
    trainable: int
    unit: str
    seconds: float
    flops_per_unit: float
    reachable: float
    planned: float
    compute_optimal: float | None
    train_seconds: float
    mfu: float
    sequence: int
    global_batch: int
    micro_batch: int
    accumulation: int
    steps: int
    warmup_steps: int
    learning_rate: float
    parallelism: str
    checkpointing: bool
    memory: estimates.TrainingMemory
    pass_memory: Mapping[bool, estimates.TrainingMemory]
    pass_seconds: Mapping[bool, float]
    checkpoint_bytes: float
    fits: bool
    devices_needed: int
    rule: str = "DeepSeek LLM (Bi et al., 2024), eq. 1"

    @property
    def reach(self) -> str:
        """How the planned amount compares with the compute-optimal one, as a phrase."""
        if self.compute_optimal is None:
            return f"{self.steps:,} steps of {self.global_batch:,}"
        ratio = self.planned / self.compute_optimal
        if ratio < 0.995:
            return f"{ratio * 100:.2g} % of the compute-optimal {self.unit} count"
        return f"{ratio:.3g} times the compute-optimal {self.unit} count"

    @property
    def energy_kwh(self) -> float:
        """Board energy of the planned run, without cooling or hosts."""
        return self.device.power * self.devices * self.train_seconds / 3.6e6


def training_plan(
    topology: Topology,
    model: Part,
    dims: Mapping[str, Any],
    hardware: Any,
    duration_seconds: float,
) -> TrainingPlan:
    """The recipe for a model on `hardware` (a quantity: a count of a catalogued accelerator).

    Batch and learning rate follow the power laws of DeepSeek LLM (Bi et al., 2024, eq. 1) in the
    total compute C: B = 0.2920 · C^0.3271 tokens and η = 0.3118 · C^-0.1250. Where a sample is
    not a sequence of tokens, the batch is `topology.batch` samples.
    """
    device = ACCELERATORS[hardware.unit]
    devices = int(hardware.value)
    costs = TrainingCosts(topology, model, dims)
    params = topology.active_params(model, dims)
    work = topology.training_work(model, dims)
    forward = work.flops.causal / work.units
    layout = _layout(costs, device, devices, work.units)
    per_unit = forward * (4 if layout.checkpointing else 3)
    rate = _rate(costs, layout, device, work.units)
    units = min(rate * duration_seconds, topology.most_units_per_param * params)
    compute = max(units * forward * 3, 1e15)
    wanted = topology.batch or max(1, 0.2920 * compute**0.3271 / work.units)
    while topology.denoises and units > MOST_STEPS * wanted * work.units:
        wanted *= 2
    while layout.micro_batch > 1 and layout.micro_batch * devices > wanted:
        layout = replace(layout, micro_batch=layout.micro_batch // 2)
    accumulation = max(1, round(wanted / (devices * layout.micro_batch)))
    layout = replace(layout, accumulates=accumulation > 1)
    rate = _rate(costs, layout, device, work.units, accumulation)
    reachable = rate * duration_seconds
    units = min(reachable, topology.most_units_per_param * params)
    global_batch = devices * layout.micro_batch * accumulation
    steps = max(1, round(units / (global_batch * work.units)))
    ratio = topology.compute_optimal_ratio
    memory = costs.memory(layout)
    alone = replace(layout, devices=1, parallelism="single device", accumulates=False)
    return TrainingPlan(
        device=device,
        devices=devices,
        trainable=costs.trainable,
        unit=topology.unit,
        seconds=duration_seconds,
        flops_per_unit=per_unit,
        reachable=reachable,
        planned=units,
        compute_optimal=ratio * params if ratio else None,
        train_seconds=units / rate,
        mfu=3 * forward * rate / (devices * device.peak),
        sequence=work.units,
        global_batch=global_batch,
        micro_batch=layout.micro_batch,
        accumulation=accumulation,
        steps=steps,
        warmup_steps=max(1, min(2000, steps // 20)),
        learning_rate=topology.learning_rate or float(f"{0.3118 * compute**-0.1250:.1e}"),
        parallelism=layout.parallelism,
        checkpointing=layout.checkpointing,
        memory=memory,
        pass_memory={fused: costs.memory(alone, fused=fused) for fused in (False, True)},
        pass_seconds={
            fused: sum(costs.seconds(alone, device, fused=fused, first_stage=True))
            for fused in (False, True)
        },
        checkpoint_bytes=4.0 * model.count() + 8.0 * costs.trainable,
        fits=memory.peak <= device.memory * MEMORY_SHARE,
        devices_needed=_devices_needed(costs, layout, device),
        rule=topology.learning_rate_source or TrainingPlan.rule,
    )


def _rate(
    costs: TrainingCosts, layout: Layout, device: Device, units: int, accumulation: int = 1
) -> float:
    """Units per second of all devices, compiled."""
    compute, update = costs.seconds(layout, device, fused=True)
    seconds = compute * accumulation + update
    return layout.devices * layout.micro_batch * accumulation * units / seconds


def _devices_needed(costs: TrainingCosts, layout: Layout, device: Device) -> int:
    """The fewest devices that suffice: one where nothing has to be sharded."""
    if not layout.sharded and costs.memory(layout).peak <= device.memory * MEMORY_SHARE:
        return 1
    least = costs.memory(Layout(2, "FSDP", True, 1))
    shared = 2 * (least.weights + least.optimizer + least.gradients)
    room = device.memory * MEMORY_SHARE - (least.peak - shared / 2)
    return max(1, ceil(shared / max(room, device.memory * 0.05)))


def _layout(costs: TrainingCosts, device: Device, devices: int, units: int) -> Layout:
    """The simplest layout that fits.

    Replication is preferred to sharding, and keeping activations to recomputing them; the
    micro-batch is the largest power of two that fits, at most 16 sequences or 128 samples.
    """
    room = device.memory * MEMORY_SHARE
    most = 4 if units > 1 else 7
    for parallelism in ("DDP", "FSDP") if devices > 1 else ("single device",):
        for checkpointing in (False, True):
            for power in range(most, -1, -1):
                layout = Layout(devices, parallelism, checkpointing, 2**power)
                if costs.fits(layout, room):
                    return layout
    return layout
