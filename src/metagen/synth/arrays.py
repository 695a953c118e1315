"""Arrays without values: shapes, types and storages, and the operations that PyTorch has on them.

What every operation saves for backward follows PyTorch's `derivatives.yaml`. A `Trace` keeps the
accounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .trace import Trace

#: Bytes of an element.
SIZES = {"bool": 1, "bf16": 2, "fp32": 4, "int64": 8}

#: What an elementwise operation keeps of itself for backward.
KEEPS = {
    "abs": "input", "clamp": "input", "cos": "input", "elu": "input", "erf": "input",
    "exp": "output", "expm1": "output", "gelu": "input", "gelu_tanh": "input",
    "gelu_new": "input", "leaky_relu": "input", "log": "input", "log1p": "input",
    "logsigmoid": "input", "neg": "", "pow": "input", "relu": "output", "rsqrt": "output",
    "scale": "", "sigmoid": "output", "silu": "input", "sin": "input", "softplus": "input",
    "sqrt": "output", "tanh": "output",
}  # fmt: skip


class Storage:
    """Allocated bytes; they are alive as long as the object is."""

    __slots__ = ("trace", "nbytes", "light", "cast", "again")

    def __init__(self, trace: Trace, nbytes: int, light: bool = False) -> None:
        self.trace, self.nbytes, self.light = trace, nbytes, light
        self.cast = self.again = False
        trace.live += nbytes
        if trace.live > trace.peak:
            trace.peak = trace.live

    def __del__(self) -> None:
        self.trace.live -= self.nbytes


class Array:
    """A tensor without values; `grad` says whether backward passes through it.

    It has `numel` elements of `nbytes` bytes; an expanded view repeats some of them. Views share
    their storage. `flatten`, `view` and the like are views here: where PyTorch has to
    copy, because the axes are out of order, a forward pass says `copy`.
    """

    __slots__ = ("trace", "shape", "dtype", "storage", "grad", "numel", "nbytes")

    def __init__(
        self, trace: Trace, shape: Sequence[int], dtype: str, storage: Storage, grad: bool
    ) -> None:
        self.trace, self.dtype, self.storage, self.grad = trace, dtype, storage, grad
        self.shape = tuple(shape)
        self.numel = prod(shape)
        self.nbytes = self.numel * SIZES[dtype]

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
        out = self.trace.compute((self,), self.shape, dtype)
        if self.storage.nbytes:  # what is given is many arrays
            out.storage.again, self.storage.cast = self.storage.cast, True
        return out

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
        batch = max(a.shape[:-2], b.shape[:-2], key=lambda shape: (prod(shape), len(shape)))
        shape = (*batch, a.shape[-2], b.shape[-1])
        out = trace.compute((a, b), shape, a.dtype, 2 * prod(shape) * a.shape[-1])
        trace.keep_product(out, a, b)
        return out

    def apply(self, name: str) -> Array:
        """An elementwise operation of `KEEPS`, or `quick_gelu`, which is made of them."""
        if name == "quick_gelu":
            return self * (self * 1.702).apply("sigmoid")
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
