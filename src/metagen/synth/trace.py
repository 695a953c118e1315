"""A forward pass without arithmetic: what it keeps for backward, holds at once, reads and writes.

A `Trace` runs a part's `forward` on `Array`s, which have a shape, a type and a storage but no
values. Arrays die as tensors do, when nothing refers to them any more, so the most bytes that were
alive at once are those that an eager PyTorch program would have allocated. Which type an operation
computes in follows the lists of autocast operations in PyTorch's documentation of `torch.amp`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from .arrays import SIZES, Array, Storage, broadcast

if TYPE_CHECKING:
    from .parts.base import Part

#: Operations that autocast computes in fp32, on accelerators and on CPUs.
FULL_ON_ACCELERATORS = frozenset({
    "cosine", "cumprod", "cumsum", "exp", "expm1", "log", "log1p", "logsumexp", "loss", "norm",
    "pow", "resize", "rsqrt", "softmax", "softplus", "sum",
})  # fmt: skip
FULL_ON_CPUS = frozenset({"loss", "mirror"})


@dataclass(slots=True)
class Op:
    """A kernel, `times` over.

    Attributes:
        flops: floating-point operations.
        moved: bytes that it reads and writes; `weights` of them are a matrix of weights.
        inner: terms of each sum of a product with a matrix of weights; 0 for other kernels.
        wide: bytes of the gradients of its output and its inputs, which backward holds at once.
        held: bytes that all kernels up to this one keep for backward.
        learned: bytes of the gradients of all weights up to this one.
        times: how many of it there are; `held` and `learned` are those of the last.
    """

    flops: float
    moved: float
    weights: float = 0.0
    inner: float = 0.0
    wide: float = 0.0
    held: float = 0.0
    learned: float = 0.0
    times: int = 1


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring kernels, from `first` to before `last`, that are run `times` over.

    `peak` is the most bytes that are alive while they run.
    """

    name: str
    times: float
    first: int
    last: int
    peak: int


class Trace:
    """The accounts of one pass.

    Args:
        learns: whether weights have gradients, so that operations keep what backward needs.
        weights: the type of the weights.
        autocast: whether products are computed in bf16 over fp32 weights.
        accelerator: whether the kernels are those of an accelerator; else those of a CPU.
        checkpointing: whether blocks keep only their inputs and are computed again.
        blocks: the `Repeat` whose blocks those are.

    Attributes:
        live, peak: bytes that are, and at most were, allocated; weights and inputs aside.
        saved: bytes that backward needs; `casts` of them are bf16 copies of weights.
        light: bytes of `saved` that a compiler makes again instead; see `keep`.
        recomputed: bytes that the largest checkpointed block keeps while it is computed again.
        learned: bytes of the weights' gradients, in fp32.
        ops: every kernel.
        phases: what `phase` has marked.
    """

    def __init__(
        self,
        *,
        learns: bool = True,
        weights: str = "fp32",
        autocast: bool = True,
        accelerator: bool = True,
        checkpointing: bool = False,
        blocks: object = None,
    ) -> None:
        self.learns, self.weights, self.autocast = learns, weights, autocast
        self.accelerator, self.checkpointing = accelerator, checkpointing
        self.live = self.peak = self.saved = self.casts = self.recomputed = self.learned = 0
        self.light = 0
        self.ops: list[Op] = []
        self.phases: list[Stretch] = []
        self._kept: dict[int, Storage] = {}
        self._met: dict[tuple[int, str, str], Array] = {}  # weights, and their casts
        self._held: dict[object, dict[tuple[int, str, str], Array]] = {}
        self._standing = 0
        self.blocks = blocks
        self._given = Storage(self, 0)
        self._full = FULL_ON_ACCELERATORS if accelerator else FULL_ON_CPUS

    # -- arrays -------------------------------------------------------------------------------

    def given(self, *shape: int, dtype: str | None = None, grad: bool = False) -> Array:
        """An input that exists anyway: of a batch, a cache, or a table."""
        return Array(self, shape, dtype or "fp32", self._given, grad and self.learns)

    def new(self, shape: Sequence[int], dtype: str | None = None) -> Array:
        """A fresh array of the weights' type, outside of any computation."""
        dtype = dtype or self.weights
        return Array(self, shape, dtype, Storage(self, prod(shape) * SIZES[dtype]), False)

    def weight(self, part: Part, name: str = "weight") -> Array:
        """A parameter or buffer of a part."""
        tensor = part.tensors[name]
        weight = self.given(*tensor.shape, dtype=self.weights, grad=tensor.trainable)
        if weight.grad and self._met.setdefault((id(part), name, weight.dtype), weight) is weight:
            self.learned += 4 * tensor.numel
        return weight

    def scalar(self, grad: bool) -> Array:
        """A loss."""
        return Array(self, (), "fp32", self._given, grad and self.learns)

    # -- accounts -----------------------------------------------------------------------------

    def compute(
        self,
        inputs: Sequence[Array],
        shape: Sequence[int],
        dtype: str | None = None,
        flops: float = 0,
        read: float | None = None,
    ) -> Array:
        """The result of a kernel; it reads its inputs, or `read` bytes of them, and writes it."""
        out = Array(self, shape, dtype or inputs[0].dtype, self._given, False)
        nbytes = out.nbytes
        found, wide = 0, nbytes
        for array in inputs:
            found += array.nbytes
            if array.grad:
                wide += array.nbytes
        out.grad = self.learns and wide > nbytes
        out.storage = Storage(self, nbytes, not flops)
        moved = nbytes + (found if read is None else read)
        gradients = wide if out.grad else 0
        self.ops.append(Op(flops, moved, 0.0, 0.0, gradients, self.saved, self.learned))
        return out

    def keep(self, array: Array, *, factor: bool = False) -> None:
        """Hold an array for backward; a storage counts once, what is given not at all.

        A compiler keeps each `factor` of a product, in one copy; other elementwise results and
        second copies it makes again.
        """
        storage = array.storage
        if self.learns and storage.nbytes and id(storage) not in self._kept:
            self._kept[id(storage)] = storage
            self.saved += storage.nbytes
            if storage.again or storage.light and not factor:
                self.light += storage.nbytes
            if self.ops:
                self.ops[-1].held = self.saved

    def combine(
        self, a: Array, b: Array | float, *, product: bool = False, quotient: bool = False
    ) -> Array:
        """A sum or product of arrays that broadcast, in the wider type of the two."""
        if not isinstance(b, Array):
            return a.apply("scale")
        wide = "fp32" if "fp32" in (a.dtype, b.dtype) else a.dtype
        out = self.compute((a, b), broadcast(a, b), wide)
        if not product:  # both sides take the same gradient
            self.ops[-1].wide = out.nbytes if out.grad else 0
            out.storage.light = False  # what adds up over all layers is not computed again
        if product and (b.grad or quotient and a.grad):
            self.keep(b if quotient and not b.grad else a)
        if product and (a.grad or quotient and b.grad):
            self.keep(b)
        return out

    def keep_product(self, out: Array, a: Array, b: Array) -> None:
        """Keep each factor of a product that the other one's gradient needs."""
        if out.grad and b.grad:
            self.keep(a, factor=True)
        if out.grad and a.grad:
            self.keep(b, factor=True)

    def lowered(self, array: Array) -> Array:
        """An array as matrix products and convolutions take it."""
        return array.to("bf16") if self.autocast and array.dtype == "fp32" else array

    def full(self, name: str, array: Array) -> Array:
        """An array as operation `name` takes it: autocast computes some of them in fp32."""
        return array.float() if self.autocast and name in self._full else array

    def matrix(self, part: Part, name: str = "weight") -> Array:
        """A weight as products take it: under autocast a bf16 copy, made once in a pass."""
        weight = self.weight(part, name)
        if not self.autocast or weight.dtype != "fp32":
            return weight
        known = self._met.get((id(part), name, "bf16"))
        if known is None:
            known = weight.to("bf16")
            if weight.grad:
                self._met[id(part), name, "bf16"] = known
        return known

    def project(
        self, x: Array, part: Part, shape: Sequence[int], flops: float, weight: str = "weight"
    ) -> Array:
        """A product with a weight: of a linear layer, or a convolution."""
        w, x = self.matrix(part, weight), self.lowered(x)
        read = None if x.numel else 0  # nothing to multiply, nothing to read
        out = self.compute((x, w), shape, x.dtype, flops, read)
        self.ops[-1].weights = w.nbytes if x.numel else 0
        self.ops[-1].inner = w.numel / max(1, w.shape[0])
        if out.grad and x.grad:
            before = self.saved
            self.keep(w, factor=True)
            self.casts += self.saved - before
        if out.grad and w.grad:
            self.keep(x, factor=True)
        return out

    def normalise(
        self, x: Array, groups: int = 0, *, fused: bool = True, gain: bool = True
    ) -> Array:
        """LayerNorm, GroupNorm of `groups`, or, where it is not `fused` on a CPU, RMSNorm.

        The input and a mean and a deviation for each row or group are kept. A CPU computes RMSNorm
        step by step in fp32, and with a `gain` keeps the normalised input besides.
        """
        x = self.full("norm", x)
        out = self.compute((x,), x.shape)
        if not out.grad:
            return out
        rows = x.shape[0] * groups if groups else x.numel // x.shape[-1]
        stepwise = not fused and not self.accelerator
        self.keep(x.float() if stepwise else x)
        self.keep(self.new((2 * rows if fused else rows,), "fp32"))
        if stepwise and gain:
            self.keep(self.new(x.shape, "fp32"))
        return out

    def attend(
        self,
        q: Array,
        k: Array,
        v: Array,
        mask: Array | None = None,
        *,
        causal: bool = False,
    ) -> Array:
        """Scaled dot-product attention, (B, H, T, K) on (B, G, S, K); the scores are never held.

        Kept are queries, keys, values, the output and one logarithm for each query and head (Dao
        et al., 2022, algorithm 1). A mask of yes and no becomes one of numbers.
        """
        q, k, v = (self.lowered(a) for a in (q, k, v))
        mask = mask.to(q.dtype) if mask is not None else None
        if mask is not None and self.stepwise(mask):
            return self._attend_stepwise(q, k, v, mask)
        shape = (*q.shape[:-1], v.shape[-1])
        width = q.shape[-1] + v.shape[-1]
        flops = 2 * prod(q.shape[:-1]) * k.shape[-2] * width * (0.5 if causal else 1)
        inputs = (q, k, v) if mask is None else (q, k, v, mask)
        out = self.compute(inputs, shape, q.dtype, flops)
        if out.grad:
            for array in (*inputs, out):
                self.keep(array, factor=True)
            self.keep(self.new(q.shape[:-1], "fp32"))
        return out

    def stepwise(self, mask: Array | None) -> bool:
        """Whether attention holds its scores: on a CPU, where a mask learns."""
        return mask is not None and mask.grad and not self.accelerator

    def _attend_stepwise(self, q: Array, k: Array, v: Array, mask: Array) -> Array:
        """As PyTorch's fallback: in fp32, on copies of several samples' heads."""
        dtype, several = q.dtype, q.shape[0] > 1
        q, k, v = q.float() * 1.0, k.float() * 1.0, v.float()
        q, k, v = (a.copy() if several else a for a in (q, k, v))
        shape = (*q.shape[:-1], k.shape[-2])
        scores = self.compute((q, k), shape, flops=2 * prod(shape) * q.shape[-1])
        self.keep_product(scores, q, k)
        odds = self.compute((scores, mask.float()), shape)
        self.keep(odds)
        shape = (*shape[:-1], v.shape[-1])
        out = self.compute((odds, v), shape, flops=2 * prod(shape) * k.shape[-2])
        self.keep_product(out, odds, v)
        return out.to(dtype)

    # -- blocks -------------------------------------------------------------------------------

    def repeat(self, n: int, body: Callable[[Any], Any], x: Any) -> Any:
        """`n` blocks in a row."""
        for _ in self.rounds(n):
            x = body(x)
        return x

    def rounds(self, n: int, blocks: object = None) -> Iterator[None]:
        """A loop over `n` equal blocks: two of them run, and the second stands for the rest.

        Where the first leaves nothing behind, it stands for all. Another loop over the same
        `blocks` meets the same weights.
        """
        if n < 1:
            return
        first, live = len(self.ops), self.live
        with self._own_weights(blocks and (blocks, "first")):
            yield
        if not self.learns and self.live == live:
            for op in self.ops[first:]:
                op.times *= n
            return
        if n < 2:
            return
        first, saved, casts, learned = len(self.ops), self.saved, self.casts, self.learned
        light = self.light
        before, live, self.peak = self.peak, self.live, self.live
        with self._own_weights(blocks and (blocks, "second")):
            yield
        more = n - 2
        for op in self.ops[first:]:
            op.times *= n - 1
            op.held += more * (self.saved - saved)
            op.learned += more * (self.learned - learned)
        grown, inner = self.live - live, self.peak - live
        self._standing += more * grown
        self.live += more * grown
        self.saved += more * (self.saved - saved)
        self.casts += more * (self.casts - casts)
        self.learned += more * (self.learned - learned)
        self.light += more * (self.light - light)
        self.peak = max(before, live + more * grown + inner)

    def distinct(self, body: Callable[[Any], Any], x: Any) -> Any:
        """One of several equal blocks, whose weights are its own."""
        with self._own_weights():
            return body(x)

    @contextmanager
    def _own_weights(self, key: object = None) -> Iterator[None]:
        outer = self._met
        self._met = self._held.setdefault(key or len(self._held), {})
        yield
        self._met = outer

    def checkpointed(self, body: Callable[..., Any], *args: Any) -> Any:
        """A block of which only the inputs are kept, where the trace says so."""
        if not (self.checkpointing and self.learns):
            return body(*args)
        for array in args:
            if isinstance(array, Array):
                self.keep(array)
        known, saved, casts, standing = set(self._kept), self.saved, self.casts, self._standing
        light = self.light
        out = body(*args)
        self.recomputed = max(self.recomputed, self.saved - saved)
        for key in self._kept.keys() - known:
            del self._kept[key]
        self.live -= self._standing - standing
        self.saved, self.casts, self._standing, self.light = saved, casts, standing, light
        return out

    @contextmanager
    def phase(self, name: str, times: float = 1) -> Iterator[None]:
        """A part of an answer that is taken `times` over, of which one is run here."""
        first, peak, self.peak = len(self.ops), self.peak, self.live
        yield
        self.phases.append(Stretch(name, times, first, len(self.ops), self.peak))
        self.peak = max(peak, self.peak)

    def first_stage(self) -> AbstractContextManager[None]:
        """A part of training steps that ends after the first of them: it costs memory, no time."""
        return self.phase("first stage", 0)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """`torch.no_grad`: what runs inside keeps nothing."""
        learns, self.learns = self.learns, False
        try:
            yield
        finally:
            self.learns = learns

    @cached_property
    def backward_peaks(self) -> tuple[float, float]:
        """Bytes at the widest moment of backward: what is kept still, and gradients in flight.

        First with all of the weights' gradients held elsewhere, then with those that the kernels
        behind the moment have made. Asked of a trace that is closed.
        """
        held = max((op.held + op.wide for op in self.ops), default=0)
        growing = max((op.held + op.wide + self.learned - op.learned for op in self.ops), default=0)
        return held, growing

    def close(self) -> Trace:
        """Let go of what is held for backward; the accounts stay."""
        self._kept.clear()
        self._met.clear()
        self._held.clear()
        return self


def given(trace: Trace) -> Callable[[Sequence[int], str], Array]:
    """What makes inputs as `trace.new` does, but such as exist anyway."""
    return lambda shape, dtype: trace.given(*shape, dtype=dtype)
