"""The training recipe: what the hardware reaches in the stated time, and how to set it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from . import estimates
from .devices import ACCELERATORS, Device
from .parts.base import Part

#: Compute-optimal tokens per parameter (Hoffmann et al., 2022, Table 3).
COMPUTE_OPTIMAL_RATIO = 20
#: Beyond this over-training ratio a plan stops spending; Llama 3 8B was trained at 1,875.
MOST_TOKENS_PER_PARAM = 2000
SEQUENCE = 8192
MEMORY_SHARE = 0.9


@dataclass(frozen=True)
class TrainingPlan:
    """A recipe in base units (tokens, seconds, bytes, FLOPs); batches count sequences."""

    device: Device
    devices: int
    seconds: float
    flops_per_token: float
    reachable_tokens: float
    train_tokens: float
    compute_optimal_tokens: float
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

    @property
    def tokens_per_param_verdict(self) -> str:
        """How the planned tokens compare with the compute-optimal number, as a phrase."""
        ratio = self.train_tokens / self.compute_optimal_tokens
        if ratio < 0.995:
            return f"{ratio * 100:.2g} % of the compute-optimal token count"
        return f"{ratio:.3g} times the compute-optimal token count"

    @property
    def energy_kwh(self) -> float:
        """Board energy of the planned run, without cooling or hosts."""
        return self.device.power * self.devices * self.train_seconds / 3.6e6


def training_plan(
    model: Part, dims: Mapping[str, Any], hardware: Any, duration_seconds: float
) -> TrainingPlan:
    """The recipe for a model on `hardware` (a quantity: a count of a catalogued accelerator).

    Batch and learning rate follow the power laws of DeepSeek LLM (Bi et al., 2024, eq. 1) in the
    total compute C: B = 0.2920 · C^0.3271 tokens and η = 0.3118 · C^-0.1250.
    """
    device = ACCELERATORS[hardware.unit]
    devices = int(hardware.value)
    params = model.count()
    sequence = min(SEQUENCE, dims["max_pos"])
    forward = model.flops(1, sequence).causal / sequence
    micro, checkpointing, sharded, memory = _layout(model, dims, device, devices, sequence)
    per_token = forward * (4 if checkpointing else 3)
    rate = devices * device.peak * estimates.TRAINING_MFU / per_token
    reachable = rate * duration_seconds
    tokens = min(reachable, MOST_TOKENS_PER_PARAM * params)
    compute = max(tokens * forward * 3, 1e15)
    batch_tokens = 0.2920 * compute**0.3271
    per_step = devices * micro
    wanted = max(1, batch_tokens / sequence)
    accumulation = max(1, round(wanted / per_step))
    global_batch = per_step * accumulation
    steps = max(1, round(tokens / (global_batch * sequence)))
    state = estimates.training_state_bytes(params)
    return TrainingPlan(
        device=device,
        devices=devices,
        seconds=duration_seconds,
        flops_per_token=per_token,
        reachable_tokens=reachable,
        train_tokens=tokens,
        compute_optimal_tokens=COMPUTE_OPTIMAL_RATIO * params,
        train_seconds=tokens / rate,
        sequence=sequence,
        global_batch=global_batch,
        micro_batch=micro,
        accumulation=accumulation,
        steps=steps,
        warmup_steps=max(1, min(2000, steps // 20)),
        learning_rate=float(f"{0.3118 * compute**-0.1250:.1e}"),
        parallelism="single device" if devices == 1 else "FSDP" if sharded else "DDP",
        checkpointing=checkpointing,
        device_memory=memory,
        checkpoint_bytes=params * 12.0,
        fits=memory <= device.memory * MEMORY_SHARE,
        devices_needed=ceil(
            state
            / max(
                device.memory * MEMORY_SHARE
                - estimates.saved_activation_bytes(dims, sequence, checkpointing=True),
                device.memory * 0.05,
            )
        ),
    )


def _layout(
    model: Part, dims: Mapping[str, Any], device: Device, devices: int, sequence: int
) -> tuple[int, bool, bool, float]:
    """`(micro_batch, checkpointing, sharded, bytes per device)`: the simplest layout that fits.

    Replication is preferred to sharding, and keeping activations to recomputing them; the
    micro-batch is the largest power of two up to 16 sequences that fits.
    """
    room = device.memory * MEMORY_SHARE
    state = estimates.training_state_bytes(model.count())
    for sharded in (False, True) if devices > 1 else (False,):
        resident = state / devices + _gathered(model, dims) if sharded else state
        for checkpointing in (False, True):
            for micro in (16, 8, 4, 2, 1):
                kept = estimates.saved_activation_bytes(
                    dims, micro * sequence, checkpointing=checkpointing
                )
                if resident + kept <= room:
                    return micro, checkpointing, sharded, resident + kept
    kept = estimates.saved_activation_bytes(dims, sequence, checkpointing=True)
    return 1, True, devices > 1, resident + kept


def _gathered(model: Part, dims: Mapping[str, Any]) -> float:
    """Bytes of the unsharded copies that FSDP holds: two blocks' weights in bf16 and gradients."""
    return 2 * model.count() / max(1, dims["n_layers"]) * (2 + 4)
