"""Memory and speed: what follows from traces of a model's passes, and rooflines over their kernels.

Every kernel of a trace takes the longest of its arithmetic, its traffic and its launch. The
efficiencies are constants of this module, calibrated on H200 measurements of four families (see
docs/estimates.md) and stated in every figure's method; `make bench` in a generated repository
prints predictions beside measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from math import fsum
from typing import Any

from .devices import Device
from .parts.base import Part
from .trace import Op, Trace

#: Bytes per weight of quantised matrices; the 4 bytes per group of 128 are a bf16 scale and zero.
WEIGHT_BYTES = {"bf16": 2.0, "int8": 1.0 + 4 / 128, "int4": 0.5 + 4 / 128}
ACTIVATION_BYTES = 2
SEQUENCE = 8192
WORKSPACE = 32 * 2**20

#: Share of the arithmetic peak that products with a matrix of weights reach when their sums are
#: long, and the terms of a sum at which they reach half of that share.
MATRIX_EFFICIENCY = 0.80
HALF_LENGTH = 700
#: The share that attention and convolutions reach.
PRODUCT_EFFICIENCY = 0.35
#: Shares of the bandwidth that products and all other kernels reach.
STREAM_EFFICIENCY = 0.80
TRAFFIC_EFFICIENCY = 0.65
#: Seconds between two launches, by the kind of device: small boards have slow processors.
LAUNCH_SECONDS = {"edge": 2e-5}
LAUNCH = 5e-6
#: What is left of the traffic of kernels without products, and of launches, when a compiler fuses.
FUSED_TRAFFIC = 0.25
FUSED_LAUNCHES = 0.40

EFFICIENCIES = (
    f"kernel by kernel: up to {MATRIX_EFFICIENCY:.0%} of arithmetic peak, "
    f"{TRAFFIC_EFFICIENCY:.0%} to {STREAM_EFFICIENCY:.0%} of bandwidth, a launch each"
)


@dataclass(frozen=True)
class Memory:
    """Peak inference memory by part, in bytes."""

    weights: float
    state: float
    activations: float
    workspace: float

    @property
    def parts(self) -> dict[str, float]:
        """Bytes by part."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def peak(self) -> float:
        """Everything that is resident at once."""
        return fsum(self.parts.values())


@dataclass(frozen=True)
class TrainingMemory:
    """Peak memory of one device while it trains, by part, in bytes.

    Attributes:
        weights: fp32 weights, or this device's share of them.
        optimizer: AdamW's two fp32 moments.
        gradients: fp32, as far as they exist when memory peaks.
        activations: what backward keeps, its bf16 copies of weights included, and what is alive
            beside it when memory peaks.
        exchange: DDP's gradient buckets, or the weights and gradients that FSDP has gathered.
    """

    weights: float
    optimizer: float
    gradients: float
    activations: float
    exchange: float

    @property
    def parts(self) -> dict[str, float]:
        """Bytes by part, the matrix library's workspace among them."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {
            "workspace": WORKSPACE
        }

    @property
    def peak(self) -> float:
        """Everything that is resident at once."""
        return fsum(self.parts.values())


def weight_bytes(model: Part, precision: str) -> float:
    """Bytes of the weights; embeddings, norms and biases stay in bf16 when matrices shrink."""
    matrices = model.count(quantizable_only=True)
    return matrices * WEIGHT_BYTES[precision] + (model.count() - matrices) * WEIGHT_BYTES["bf16"]


def training_state_bytes(params: int, trainable: int) -> int:
    """Bytes of fp32 weights, and for all that learns fp32 gradients and AdamW's two moments."""
    return 4 * params + 12 * trainable


def state_bytes(model: Part, context: int) -> float:
    """Bytes of the key-value cache of one sequence in bf16: 2 · layers · kv_heads · head_dim."""
    return model.state_elements(context) * ACTIVATION_BYTES


# -- passes -----------------------------------------------------------------------------------


def inference_trace(run: Callable[[Trace], Any]) -> Trace:
    """A pass of a model whose weights are bf16, without gradients."""
    trace = Trace(learns=False, weights="bf16", autocast=False)
    run(trace)
    return trace.close()


def training_trace(
    model: Any, batch: int, length: int, *, checkpointing: bool = False, sharded: bool = False
) -> Trace:
    """The loss of `batch` samples under bf16 autocast, over fp32 weights or FSDP's bf16 copies."""
    trace = Trace(
        weights="bf16" if sharded else "fp32",
        checkpointing=checkpointing,
        blocks=getattr(model, "blocks", None),
    )
    model.loss(trace, batch, length)
    return trace.close()


# -- speed ------------------------------------------------------------------------------------


def seconds(
    ops: Sequence[Op], device: Device, precision: str = "bf16", *, fused: bool = False
) -> float:
    """Seconds of a pass; see `seconds_by_limit`."""
    return fsum(seconds_by_limit(ops, device, precision, fused=fused).values())


def seconds_by_limit(
    ops: Sequence[Op], device: Device, precision: str = "bf16", *, fused: bool = False
) -> dict[str, float]:
    """Seconds of a pass by what limits its kernels: arithmetic, bandwidth, or launches.

    Every kernel takes the longest of the three: the roofline of Williams et al. (2009) at the
    efficiencies of this module, and a floor. Weights of a lower `precision` are read in it and
    multiplied in bf16. Where a compiler has `fused` kernels, those without products read and write
    less and are fewer.
    """
    spared = spared_share(precision)
    launch = LAUNCH_SECONDS.get(device.kind, LAUNCH) * (FUSED_LAUNCHES if fused else 1)
    stream = device.bandwidth * STREAM_EFFICIENCY
    traffic = device.bandwidth * TRAFFIC_EFFICIENCY / (FUSED_TRAFFIC if fused else 1)
    total, peak = {"arithmetic": 0.0, "bandwidth": 0.0, "launches": 0.0}, device.peak
    for op in ops:
        computing = op.flops / (peak * efficiency(op.inner)) if op.flops else 0.0
        moving = (op.moved - spared * op.weights) / (stream if op.flops else traffic)
        if computing > moving and computing > launch:
            total["arithmetic"] += op.times * computing
        elif moving > launch:
            total["bandwidth"] += op.times * moving
        else:
            total["launches"] += op.times * launch
    return total


def spared_share(precision: str) -> float:
    """Share of the bytes of bf16 weights that need not be read in a lower precision."""
    return 1 - WEIGHT_BYTES[precision] / WEIGHT_BYTES["bf16"]


def efficiency(inner: float) -> float:
    """Share of the arithmetic peak that a product reaches whose sums have `inner` terms."""
    if not inner:
        return PRODUCT_EFFICIENCY
    return MATRIX_EFFICIENCY * inner / (inner + HALF_LENGTH)


def optimizer_seconds(params: float, device: Device) -> float:
    """Seconds of clipping and AdamW's step: 40 bytes a parameter are read or written.

    The norm reads gradients (4), clipping scales them (8), the fused step reads weight, gradient
    and moments (16) and writes weight and moments (12).
    """
    return 40 * params / (device.bandwidth * TRAFFIC_EFFICIENCY)
