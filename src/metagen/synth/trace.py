"""A forward pass without arithmetic: what it keeps for backward, holds at once, reads and writes.

A `Trace` runs a part's `forward` on `Array`s, which have a shape, a type and a storage but no
values. Arrays die as tensors do, when nothing refers to them any more, so the most bytes that were
alive at once are those that an eager PyTorch program would have allocated. What every operation
saves for backward follows PyTorch's `derivatives.yaml`; which type it computes in follows the
lists of autocast operations in PyTorch's documentation of `torch.amp`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .parts.base import Part

#: Bytes of an element.
SIZES = {"bool": 1, "bf16": 2, "fp32": 4, "int64": 8}

#: What an elementwise operation keeps of itself for backward.
KEEPS = {
    "abs": "input", "clamp": "input", "cos": "input", "elu": "output", "erf": "input",
    "exp": "output", "expm1": "output", "gelu": "input", "gelu_tanh": "input",
    "gelu_new": "input", "leaky_relu": "input", "log": "input", "log1p": "input",
    "logsigmoid": "input", "neg": "", "pow": "input", "relu": "output", "rsqrt": "output",
    "scale": "", "sigmoid": "output", "silu": "input", "sin": "input", "softplus": "input",
    "sqrt": "output", "tanh": "output",
}  # fmt: skip

#: Operations that autocast computes in fp32, on accelerators and on CPUs.
FULL_ON_ACCELERATORS = frozenset({
    "cosine", "cumprod", "cumsum", "exp", "expm1", "log", "log1p", "logsumexp", "loss", "norm",
    "pow", "resize", "rsqrt", "softmax", "softplus", "sum",
})  # fmt: skip
FULL_ON_CPUS = frozenset({"loss"})


class Storage:
    """Allocated bytes; they are alive as long as the object is."""

    __slots__ = ("trace", "nbytes")

    def __init__(self, trace: Trace, nbytes: int) -> None:
        self.trace, self.nbytes = trace, nbytes
        trace.live += nbytes
        trace.peak = max(trace.peak, trace.live)

    def __del__(self) -> None:
        self.trace.live -= self.nbytes


@dataclass(slots=True)
class Op:
    """A kernel, `times` over.

    Attributes:
        flops: floating-point operations.
        moved: bytes that it reads and writes; `weights` of them are a matrix of weights.
        wide: bytes of the gradients of its output and its inputs, which backward holds at once.
        held: bytes that all kernels up to this one keep for backward.
        learned: bytes of the gradients of all weights up to this one.
        times: how many of it there are; `held` and `learned` are those of the last.
    """

    flops: float
    moved: float
    weights: float
    wide: float
    held: float
    learned: float
    times: int = 1


class Array:
    """A tensor without values; `grad` says whether backward passes through it.

    Views share their storage. `flatten`, `view` and the like are views here: where PyTorch has to
    copy, because the axes are out of order, a forward pass says `copy`.
    """

    __slots__ = ("trace", "shape", "dtype", "storage", "grad")

    def __init__(
        self, trace: Trace, shape: Sequence[int], dtype: str, storage: Storage, grad: bool
    ) -> None:
        self.trace, self.dtype, self.storage, self.grad = trace, dtype, storage, grad
        self.shape = tuple(shape)

    @property
    def numel(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, of which an expanded view repeats some."""
        return self.numel * SIZES[self.dtype]

    # -- views --------------------------------------------------------------------------------

    def view(self, *shape: int) -> Array:
        """The same elements in another shape; -1 stands for what is left."""
        if -1 in shape:
            left = self.numel // max(1, -prod(shape))
            shape = tuple(left if size == -1 else size for size in shape)
        assert prod(shape) == self.numel, (self.shape, shape)
        return self._like(shape)

    def transpose(self, a: int, b: int) -> Array:
        """Two axes exchanged."""
        shape = list(self.shape)
        shape[a], shape[b] = shape[b], shape[a]
        return self._like(shape)

    def permute(self, *axes: int) -> Array:
        """The axes in another order."""
        return self._like([self.shape[axis] for axis in axes])

    def flatten(self, first: int = 0, last: int = -1) -> Array:
        """The axes from `first` to `last` as one."""
        first, last = first % len(self.shape), last % len(self.shape)
        middle = prod(self.shape[first : last + 1])
        return self._like((*self.shape[:first], middle, *self.shape[last + 1 :]))

    def unflatten(self, axis: int, sizes: Sequence[int]) -> Array:
        """One axis as several; -1 stands for what is left."""
        axis %= len(self.shape)
        left = self.shape[axis] // max(1, -prod(sizes)) if -1 in sizes else 0
        parts = [left if size == -1 else size for size in sizes]
        assert prod(parts) == self.shape[axis], (self.shape, sizes)
        return self._like((*self.shape[:axis], *parts, *self.shape[axis + 1 :]))

    def unsqueeze(self, axis: int) -> Array:
        """A new axis of size 1."""
        axis %= len(self.shape) + 1
        return self._like((*self.shape[:axis], 1, *self.shape[axis:]))

    def squeeze(self, axis: int) -> Array:
        """Without an axis of size 1."""
        axis %= len(self.shape)
        return self._like((*self.shape[:axis], *self.shape[axis + 1 :]))

    def expand(self, *shape: int) -> Array:
        """A view that repeats axes of size 1."""
        return self._like(shape)

    def narrow(self, axis: int, size: int) -> Array:
        """`size` neighbouring entries of an axis."""
        shape = list(self.shape)
        shape[axis] = size
        return self._like(shape)

    def select(self, axis: int) -> Array:
        """One entry of an axis, which disappears."""
        axis %= len(self.shape)
        return self._like((*self.shape[:axis], *self.shape[axis + 1 :]))

    def split(self, sizes: Sequence[int], axis: int = -1) -> tuple[Array, ...]:
        """Neighbouring pieces of the given sizes."""
        return tuple(self.narrow(axis, size) for size in sizes)

    def chunk(self, pieces: int, axis: int = -1) -> tuple[Array, ...]:
        """Equal pieces."""
        return self.split([self.shape[axis] // pieces] * pieces, axis)

    def detach(self) -> Array:
        """The same elements, through which backward does not pass."""
        return Array(self.trace, self.shape, self.dtype, self.storage, False)

    def _like(self, shape: Sequence[int]) -> Array:
        return Array(self.trace, shape, self.dtype, self.storage, self.grad)

    # -- copies -------------------------------------------------------------------------------

    def copy(self, *shape: int) -> Array:
        """A contiguous copy, in another shape if one is given."""
        return self.trace.compute((self,), self.shape).view(*(shape or self.shape))

    def to(self, dtype: str) -> Array:
        """The elements in another type; itself where that is its own."""
        if dtype == self.dtype:
            return self
        return self.trace.compute((self,), self.shape, dtype)

    def float(self) -> Array:
        """The elements in fp32."""
        return self.to("fp32")

    def take(self, *shape: int) -> Array:
        """Entries looked up by index: a new array, and the indices are kept for backward."""
        found = self.trace.compute((self,), shape)
        if found.grad:
            rows = prod(shape) // max(1, self.shape[-1]) if len(self.shape) > 1 else prod(shape)
            self.trace.keep(self.trace.new((rows,), "int64"))
        return found

    def pad(self, axis: int, more: int) -> Array:
        """A copy with `more` entries along an axis."""
        shape = list(self.shape)
        shape[axis] += more
        return self.trace.compute((self,), shape)

    def repeat_interleave(self, times: int, axis: int) -> Array:
        """A copy in which every entry of an axis stands `times` times."""
        shape = list(self.shape)
        shape[axis] *= times
        return self.trace.compute((self,), shape)

    # -- arithmetic ---------------------------------------------------------------------------

    def __add__(self, other: Array | float) -> Array:
        return self.trace.combine(self, other)

    __radd__ = __sub__ = __rsub__ = __add__

    def __mul__(self, other: Array | float) -> Array:
        return self.trace.combine(self, other, product=True)

    __rmul__ = __mul__

    def __truediv__(self, other: Array | float) -> Array:
        """A quotient keeps its divisor, and both sides where the divisor learns."""
        if not isinstance(other, Array):
            return self.apply("scale")
        return self.trace.combine(self, other, product=True, quotient=True)

    def __neg__(self) -> Array:
        return self.apply("neg")

    def __matmul__(self, other: Array) -> Array:
        """Batched matrix product, (..., M, K) @ (..., K, N) -> (..., M, N)."""
        trace = self.trace
        a, b = trace.lowered(self), trace.lowered(other)
        batch = max(a.shape[:-2], b.shape[:-2], key=prod)
        shape = (*batch, a.shape[-2], b.shape[-1])
        out = trace.compute((a, b), shape, a.dtype, 2 * prod(shape) * a.shape[-1])
        trace.keep_product(out, a, b)
        return out

    def apply(self, name: str) -> Array:
        """An elementwise operation of `KEEPS`."""
        x = self.trace.full(name, self)
        out = self.trace.compute((x,), x.shape)
        kept = KEEPS[name]
        if out.grad and kept:
            self.trace.keep(x if kept == "input" else out)
        return out

    def sum(self, *axes: int, keepdim: bool = False) -> Array:
        """Sums over axes, or over everything."""
        return self._reduced("sum", axes, keepdim)

    def mean(self, *axes: int, keepdim: bool = False) -> Array:
        """Means over axes, or over everything."""
        return self._reduced("mean", axes, keepdim)

    def max(self, axis: int) -> Array:
        """Largest entries of an axis; their indices are kept for backward."""
        out = self._reduced("max", (axis,), False)
        if out.grad:
            self.trace.keep(self.trace.new(out.shape, "int64"))
        return out

    def _reduced(self, name: str, axes: Sequence[int], keepdim: bool) -> Array:
        x = self.trace.full(name, self)
        gone = {axis % len(x.shape) for axis in axes} or set(range(len(x.shape)))
        shape = [
            1 if i in gone else size for i, size in enumerate(x.shape) if keepdim or i not in gone
        ]
        return self.trace.compute((x,), shape)

    def cumsum(self) -> Array:
        """Running sums along an axis."""
        x = self.trace.full("cumsum", self)
        return self.trace.compute((x,), x.shape)

    def softmax(self, dtype: str | None = None) -> Array:
        """Softmax, or its logarithm, along an axis; the result is kept."""
        x = self.trace.full("softmax", self)
        out = self.trace.compute((x,), x.shape, dtype or x.dtype)
        if out.grad:
            self.trace.keep(out)
        return out

    def cross_entropy(self) -> Array:
        """Mean cross-entropy of scores (..., classes): their log-softmax is kept."""
        self.trace.full("loss", self).softmax()
        return self.trace.scalar(self.grad)

    def squared_error(self, other: Array | float = 0.0) -> Array:
        """Mean squared or absolute error, `F.mse_loss` and its like: both sides are kept."""
        sides = [self.trace.full("loss", a) for a in (self, other) if isinstance(a, Array)]
        wide = "fp32" if any(a.dtype == "fp32" for a in sides) else sides[0].dtype
        sides = [a.to(wide) for a in sides]
        if any(a.grad for a in sides):
            for side in sides:
                self.trace.keep(side)
        self.trace.compute(sides, sides[0].shape)
        return self.trace.scalar(any(a.grad for a in sides))


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
        recomputed: bytes that the largest checkpointed block keeps while it is computed again.
        learned: bytes of the weights' gradients, in fp32.
        ops: every kernel.
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
        self.ops: list[Op] = []
        self._kept: dict[int, Storage] = {}
        self._casts: dict[tuple[int, str], Array] = {}
        self._held: list[dict[tuple[int, str], Array]] = []
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
        self.learned += 4 * tensor.numel if tensor.trainable and self.learns else 0
        return self.given(*tensor.shape, dtype=self.weights, grad=tensor.trainable)

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
        dtype = dtype or inputs[0].dtype
        nbytes = prod(shape) * SIZES[dtype]
        if read is None:
            read = sum(a.nbytes for a in inputs)
        grad = self.learns and any(a.grad for a in inputs)
        wide = nbytes + sum(a.nbytes for a in inputs if a.grad) if grad else 0
        self.ops.append(Op(flops, read + nbytes, 0, wide, self.saved, self.learned))
        return Array(self, shape, dtype, Storage(self, nbytes), grad)

    def keep(self, array: Array) -> None:
        """Hold an array for backward; a storage counts once, what is given not at all."""
        storage = array.storage
        if self.learns and storage.nbytes and id(storage) not in self._kept:
            self._kept[id(storage)] = storage
            self.saved += storage.nbytes
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
        if product and (b.grad or quotient and a.grad):
            self.keep(b if quotient and not b.grad else a)
        if product and (a.grad or quotient and b.grad):
            self.keep(b)
        return out

    def keep_product(self, out: Array, a: Array, b: Array) -> None:
        """Keep each factor of a product that the other one's gradient needs."""
        if out.grad and b.grad:
            self.keep(a)
        if out.grad and a.grad:
            self.keep(b)

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
        known = self._casts.get((id(part), name))
        if known is None:
            known = weight.to("bf16")
            if weight.grad:
                self._casts[id(part), name] = known
        return known

    def project(
        self, x: Array, part: Part, shape: Sequence[int], flops: float, weight: str = "weight"
    ) -> Array:
        """A product with a weight: of a linear layer, or a convolution."""
        w, x = self.matrix(part, weight), self.lowered(x)
        out = self.compute((x, w), shape, x.dtype, flops)
        self.ops[-1].weights = w.nbytes
        if out.grad and x.grad:
            before = self.saved
            self.keep(w)
            self.casts += self.saved - before
        if out.grad and w.grad:
            self.keep(x)
        return out

    def normalise(self, x: Array, groups: int = 0, *, fused: bool = True) -> Array:
        """LayerNorm, GroupNorm of `groups`, or, where it is not `fused` on a CPU, RMSNorm.

        The input and a mean and a deviation for each row or group are kept. A CPU computes RMSNorm
        step by step, and keeps the normalised input besides.
        """
        x = self.full("norm", x)
        out = self.compute((x,), x.shape)
        if not out.grad:
            return out
        rows = x.shape[0] * groups if groups else x.numel // x.shape[-1]
        self.keep(x)
        self.keep(self.new((2 * rows if fused else rows,), "fp32"))
        if not fused and not self.accelerator:
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
        et al., 2022, algorithm 1).
        """
        q, k, v = (self.lowered(a) for a in (q, k, v))
        shape = (*q.shape[:-1], v.shape[-1])
        width = q.shape[-1] + v.shape[-1]
        flops = 2 * prod(q.shape[:-1]) * k.shape[-2] * width * (0.5 if causal else 1)
        inputs = (q, k, v) if mask is None else (q, k, v, mask)
        out = self.compute(inputs, shape, q.dtype, flops)
        if out.grad:
            for array in (*inputs, out):
                self.keep(array)
            self.keep(self.new(q.shape[:-1], "fp32"))
        return out

    # -- blocks -------------------------------------------------------------------------------

    def repeat(self, n: int, body: Callable[[Any], Any], x: Any) -> Any:
        """`n` blocks in a row: two of them run, and the second stands for the rest."""
        x = self.distinct(body, x)
        if n < 2:
            return x
        first, saved, casts, learned = len(self.ops), self.saved, self.casts, self.learned
        before, live, self.peak = self.peak, self.live, self.live
        x = self.distinct(body, x)
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
        self.peak = max(before, live + more * grown + inner)
        return x

    def distinct(self, body: Callable[[Any], Any], x: Any) -> Any:
        """One of several equal blocks, whose weights are its own."""
        outer, self._casts = self._casts, {}
        self._held.append(self._casts)
        x = body(x)
        self._casts = outer
        return x

    def checkpointed(self, body: Callable[..., Any], *args: Any) -> Any:
        """A block of which only the inputs are kept, where the trace says so."""
        if not (self.checkpointing and self.learns):
            return body(*args)
        for array in args:
            if isinstance(array, Array):
                self.keep(array)
        known, saved, casts, standing = set(self._kept), self.saved, self.casts, self._standing
        out = body(*args)
        self.recomputed = max(self.recomputed, self.saved - saved)
        for key in self._kept.keys() - known:
            del self._kept[key]
        self.live -= self._standing - standing
        self.saved, self.casts, self._standing = saved, casts, standing
        return out

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """`torch.no_grad`: what runs inside keeps nothing."""
        learns, self.learns = self.learns, False
        try:
            yield
        finally:
            self.learns = learns

    @property
    def backward_peak(self) -> float:
        """Bytes at the widest moment of backward: what is kept still, and gradients.

        Weights have theirs from when their operation is passed; no gradient is left from before.
        """
        return max((op.held + op.wide + self.learned - op.learned for op in self.ops), default=0)

    def close(self) -> Trace:
        """Let go of what is held for backward; the accounts stay."""
        self._kept.clear()
        self._casts.clear()
        self._held.clear()
        return self


def broadcast(a: Array, b: Array) -> tuple[int, ...]:
    """The shape of a result of two arrays that broadcast."""
    rank = max(len(a.shape), len(b.shape))
    sizes = [(1,) * (rank - len(s)) + s for s in (a.shape, b.shape)]
    assert all(m == n or 1 in (m, n) for m, n in zip(*sizes, strict=True)), (a.shape, b.shape)
    return tuple(max(pair) for pair in zip(*sizes, strict=True))


def concatenate(arrays: Sequence[Array], axis: int = -1) -> Array:
    """Arrays side by side along an axis, as a new array of the widest type."""
    shape = list(arrays[0].shape)
    shape[axis] = sum(a.shape[axis] for a in arrays)
    wide = "fp32" if any(a.dtype == "fp32" for a in arrays) else arrays[0].dtype
    return arrays[0].trace.compute(arrays, shape, wide)


def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Arrays along a new axis."""
    return concatenate([a.unsqueeze(axis) for a in arrays], axis)
