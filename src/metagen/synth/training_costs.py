"""What one step of training costs: memory of a device, and seconds, under each layout.

A step of a layout is a trace of its micro-batch; memory and seconds are read off it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from . import estimates
from .devices import Device
from .parts.base import Part
from .topologies.base import Topology
from .trace import Op, Trace

#: Samples of the trace that others are judged by; one alone spares copies that more take.
FEW = 2
#: How far that judgement is trusted.
SLACK = 1.1

#: The block of a tensor, by its name: what is numbered below `blocks`, else the innermost number.
_BLOCK = re.compile(r".*?\bblocks\.\d+\.|.*\.\d+\.")

#: Blocks whose weights FSDP has gathered at once: the one that computes, and the next.
GATHERED_BLOCKS = 2


@dataclass(frozen=True)
class Layout:
    """How a model is spread over devices while it learns.

    `parallelism` is `single device`, `DDP` or `FSDP`; `accumulates` says whether gradients of
    earlier micro-batches are there already when one begins.
    """

    devices: int
    parallelism: str
    checkpointing: bool
    micro_batch: int
    accumulates: bool = True

    @property
    def sharded(self) -> bool:
        """Whether each device holds a share of the weights alone."""
        return self.parallelism == "FSDP"


class TrainingCosts:
    """Costs of training a model on samples of its topology."""

    def __init__(self, topology: Topology, model: Part, dims: Mapping[str, Any]) -> None:
        self.model = model
        self.length = topology.length(dims)
        self._known: dict[tuple[bool, bool, int], Trace] = {}
        self._timed: dict[tuple[bool, bool, int, Device, bool, bool], float] = {}

    @cached_property
    def params(self) -> int:
        """All parameters."""
        return self.model.count()

    @cached_property
    def trainable(self) -> int:
        """Parameters that the optimizer sees."""
        return self.params - self.model.frozen()

    def memory(self, layout: Layout, *, fused: bool = False) -> estimates.TrainingMemory:
        """Peak memory of one device; a compiler that has `fused` kernels keeps less.

        fp32 weights and gradients and two AdamW moments, or a share of them; activations as the
        trace has them. DDP holds its gradient buckets besides (Li et al., 2020, section 3.2.3);
        FSDP what `_gathered` says.
        """
        standing = self._standing(layout)
        trace = self._trace(layout, layout.micro_batch)
        spared = trace.light if fused else 0
        forward = trace.peak - spared
        backward, grown = (peak - spared for peak in trace.backward_peaks)
        if layout.accumulates or layout.sharded:
            return replace(standing, activations=max(forward, backward))
        moments = ((forward, 0.0), (grown, 0.0), (0.0, standing.gradients))
        live, held = max(moments, key=sum)
        return replace(standing, gradients=held, activations=live)

    def _standing(self, layout: Layout) -> estimates.TrainingMemory:
        """Memory of one device between micro-batches, all gradients made, nothing else alive."""
        share = layout.devices if layout.sharded else 1
        buckets = 4.0 * self.trainable if layout.devices > 1 else 0.0
        return estimates.TrainingMemory(
            weights=4 * self.params / share,
            optimizer=8 * self.trainable / share,
            gradients=4 * self.trainable / share,
            activations=0.0,
            exchange=self._gathered if layout.sharded else buckets,
        )

    def fits(self, layout: Layout, room: float) -> bool:
        """Whether a layout's memory is within `room` bytes.

        Of all batches that a search asks for few are traced: but for weights and their copies
        almost everything that a kernel keeps is proportional to the samples. Large replicas are
        ruled out by what a shard, which is traced for them anyway, has to hold.
        """
        standing = self._standing(layout).peak
        if layout.parallelism == "DDP" and standing > room / 2:
            shard = replace(layout, parallelism="FSDP", micro_batch=1)  # it has no more activations
            standing += self.memory(shard).activations
        if standing > room:
            return False
        few = self.memory(replace(layout, micro_batch=FEW))
        fixed = few.peak - few.activations + self._trace(layout, FEW).casts
        grows = few.peak - fixed
        roughly = fixed + grows * layout.micro_batch / FEW
        return roughly <= room / SLACK or (
            roughly <= room * SLACK and self.memory(layout).peak <= room
        )

    def seconds(
        self, layout: Layout, device: Device, *, fused: bool, first_stage: bool = False
    ) -> tuple[float, float]:
        """Seconds of one micro-batch, forward and backward, and of the update after the last.

        Backward is two forward passes, checkpointing one more. Exchanges run beside computation,
        over `device.link`: FSDP gathers bf16 weights for each pass and scatters fp32 gradients
        (Zhao et al., 2023); a ring reduces DDP's gradients once for each update. What only the
        `first_stage` of a training takes counts where it is asked for: later stages are longer.
        """
        forward = self._forward(layout, device, fused, first_stage)
        compute = forward * (4 if layout.checkpointing else 3)
        others = (layout.devices - 1) / layout.devices
        share = layout.devices if layout.sharded else 1
        update = estimates.optimizer_seconds(self.trainable / share, device)
        if layout.sharded:
            compute = max(compute, others * 8 * self.params / device.link)
        elif layout.devices > 1:
            reduced = 2 * others * 4 * self.trainable / device.link
            update += max(0.0, reduced - 2 * forward)
        return compute, update

    def _forward(self, layout: Layout, device: Device, fused: bool, first_stage: bool) -> float:
        key = layout.checkpointing, layout.sharded, layout.micro_batch, device, fused, first_stage
        if key not in self._timed:
            trace = self._trace(layout, layout.micro_batch)
            ops = trace.ops if first_stage else _later(trace)
            self._timed[key] = estimates.seconds(ops, device, fused=fused)
        return self._timed[key]

    def _trace(self, layout: Layout, batch: int) -> Trace:
        key = layout.checkpointing, layout.sharded, batch
        if key not in self._known:
            self._known[key] = estimates.training_trace(
                self.model, batch, self.length, checkpointing=key[0], sharded=key[1]
            )
        return self._known[key]

    @cached_property
    def _gathered(self) -> float:
        """Bytes that FSDP gathers: bf16 weights of what is in no block, and of some blocks.

        Of one block the bf16 gradients are whole too, and their fp32 copies that are scattered.
        """
        blocks: dict[str, int] = {}
        for name, tensor in self.model.entries:
            found = _BLOCK.match(name)
            if found and tensor.kind == "parameter" and tensor.tied_to is None:
                blocks[found[0]] = blocks.get(found[0], 0) + tensor.numel
        outside = self.params - sum(blocks.values())
        return 2 * outside + (2 * GATHERED_BLOCKS + 2 + 4) * max(blocks.values(), default=0)


def _later(trace: Trace) -> list[Op]:
    """The kernels of a step after the first stage of a training."""
    later, end = [], 0
    for part in trace.phases:
        if not part.times:
            later += trace.ops[end : part.first]
            end = part.last
    return later + trace.ops[end:]
