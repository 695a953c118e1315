"""The training recipe: what the hardware reaches in the stated time, and how to set it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from . import estimates
from .devices import ACCELERATORS, Device
from .parts.base import Part
from .topologies.base import Topology

MEMORY_SHARE = 0.9
MOST_STEPS = 1_000_000  # of a denoiser; longer runs take larger batches instead


@dataclass(frozen=True)
class TrainingPlan:
    """A recipe in base units (seconds, bytes, FLOPs); batches count samples of `sequence` units.

    `unit` is what the topology counts (token, image, ...); `reachable`, `planned` and
    `compute_optimal` are numbers of it.
    """

    device: Device
    devices: int
    unit: str
    seconds: float
    flops_per_unit: float
    reachable: float
    planned: float
    compute_optimal: float | None
    train_seconds: float
    sequence: int
    global_batch: int
    micro_batch: int
    accumulation: int
    steps: int
    warmup_steps: int
    learning_rate: float
    parallelism: str
    checkpointing: bool
    device_memory: float
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
    params = topology.active_params(model, dims)
    work = topology.training_work(model, dims)
    forward = work.flops.causal / work.units
    micro, checkpointing, sharded, memory = _layout(topology, model, dims, device, devices)
    per_unit = forward * (4 if checkpointing else 3)
    rate = devices * device.peak * estimates.TRAINING_MFU / per_unit
    reachable = rate * duration_seconds
    units = min(reachable, topology.most_units_per_param * params)
    compute = max(units * forward * 3, 1e15)
    wanted = topology.batch or max(1, 0.2920 * compute**0.3271 / work.units)
    while topology.denoises and units > MOST_STEPS * wanted * work.units:
        wanted *= 2
    while micro > 1 and micro * devices > wanted:
        micro //= 2
    accumulation = max(1, round(wanted / (devices * micro)))
    global_batch = devices * micro * accumulation
    steps = max(1, round(units / (global_batch * work.units)))
    ratio = topology.compute_optimal_ratio
    return TrainingPlan(
        device=device,
        devices=devices,
        unit=topology.unit,
        seconds=duration_seconds,
        flops_per_unit=per_unit,
        reachable=reachable,
        planned=units,
        compute_optimal=ratio * params if ratio else None,
        train_seconds=units / rate,
        sequence=work.units,
        global_batch=global_batch,
        micro_batch=micro,
        accumulation=accumulation,
        steps=steps,
        warmup_steps=max(1, min(2000, steps // 20)),
        learning_rate=topology.learning_rate or float(f"{0.3118 * compute**-0.1250:.1e}"),
        parallelism="single device" if devices == 1 else "FSDP" if sharded else "DDP",
        checkpointing=checkpointing,
        device_memory=memory,
        checkpoint_bytes=model.count() * 12.0,
        fits=memory <= device.memory * MEMORY_SHARE,
        devices_needed=_devices_needed(topology, model, dims, device),
        rule=topology.learning_rate_source or TrainingPlan.rule,
    )


def _devices_needed(
    topology: Topology, model: Part, dims: Mapping[str, Any], device: Device
) -> int:
    """The fewest devices over which the sharded training state fits."""
    units = topology.training_work(model, dims).units
    kept = topology.saved_activations(dims, units, checkpointing=True)
    room = max(device.memory * MEMORY_SHARE - kept, device.memory * 0.05)
    return ceil(estimates.training_state_bytes(model.count()) / room)


def _layout(
    topology: Topology, model: Part, dims: Mapping[str, Any], device: Device, devices: int
) -> tuple[int, bool, bool, float]:
    """`(micro_batch, checkpointing, sharded, bytes per device)`: the simplest layout that fits.

    Replication is preferred to sharding, and keeping activations to recomputing them; the
    micro-batch is the largest power of two that fits, at most 16 sequences or 128 samples.
    """
    units = topology.training_work(model, dims).units
    room = device.memory * MEMORY_SHARE
    state = estimates.training_state_bytes(model.count())
    most = 4 if units > 1 else 7
    for sharded in (False, True) if devices > 1 else (False,):
        resident = state / devices + _gathered(model, dims) if sharded else state
        for checkpointing in (False, True):
            for micro in (2**power for power in range(most, -1, -1)):
                kept = topology.saved_activations(dims, micro * units, checkpointing=checkpointing)
                if resident + kept <= room:
                    return micro, checkpointing, sharded, resident + kept
    kept = topology.saved_activations(dims, units, checkpointing=True)
    return 1, True, devices > 1, resident + kept


def _gathered(model: Part, dims: Mapping[str, Any]) -> float:
    """Bytes of the unsharded copies that FSDP holds: two blocks' weights in bf16 and gradients."""
    return 2 * model.count() / max(1, dims.get("n_layers", 12)) * (2 + 4)
