"""Shape-only modules: the tensors, FLOPs and state of a PyTorch module, without PyTorch.

A `Part` mirrors one `nn.Module`: attributes that are parts are its children, under the attribute's
name, and `parameter` declares a tensor of its own. Names and shapes read off the tree are those of
`state_dict()` of the generated model; nothing else in the engine knows a formula for parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class Tensor(NamedTuple):
    """One entry of a state dict.

    Attributes:
        shape: the tensor's shape, outermost dimension first.
        kind: `parameter` or `buffer` (persistent).
        trainable: whether the optimizer sees it.
        quantizable: whether weight-only quantisation applies to it (matrices of linear layers).
        tied_to: the name of the tensor that owns the storage, for an alias.
    """

    shape: tuple[int, ...]
    kind: str = "parameter"
    trainable: bool = True
    quantizable: bool = False
    tied_to: str | None = None

    @property
    def numel(self) -> int:
        """Number of elements."""
        return prod(self.shape)


class Flops(NamedTuple):
    """Floating-point operations of a forward pass; a multiply-add counts as two.

    Attributes:
        counted: what PyTorch's FlopCounterMode counts with unmasked attention.
        uncounted: what it misses (scans, grouped matmuls, ...).
        masked: the share of `counted` that a causal mask or a window makes unnecessary.
    """

    counted: int = 0
    uncounted: int = 0
    masked: int = 0

    def __add__(self, other: Flops) -> Flops:
        return Flops(
            self.counted + other.counted,
            self.uncounted + other.uncounted,
            self.masked + other.masked,
        )

    def __mul__(self, times: int) -> Flops:
        return Flops(self.counted * times, self.uncounted * times, self.masked * times)

    @property
    def total(self) -> int:
        """Everything that a dense implementation executes."""
        return self.counted + self.uncounted

    @property
    def causal(self) -> int:
        """The causal-aware figure: masked positions are not computed."""
        return self.total - self.masked


class Part:
    """A module without arithmetic: named tensors, children, and the costs they imply."""

    _children: dict[str, Part] | None = None
    _entries: tuple[tuple[str, Tensor], ...] | None = None
    _parameters: int | None = None
    _matrices: int | None = None

    ties: Mapping[str, str] = MappingProxyType({})

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}

    @property
    def children(self) -> dict[str, Part]:
        """The attributes that are parts, by name; asked of a part that is complete."""
        if self._children is None:
            self._children = {n: p for n, p in vars(self).items() if isinstance(p, Part)}
        return self._children

    def parameter(
        self, name: str, *shape: int, quantizable: bool = False, trainable: bool = True
    ) -> None:
        """Declare a parameter of this module; a frozen one is not trainable."""
        self.tensors[name] = Tensor(shape, "parameter", trainable, quantizable)

    def buffer(self, name: str, *shape: int) -> None:
        """Declare a persistent buffer of this module."""
        self.tensors[name] = Tensor(shape, kind="buffer", trainable=False)

    def tie(self, alias: str, owner: str) -> None:
        """Make the tensor at path `alias` share the storage of the one at path `owner`."""
        self.ties = {**self.ties, alias: owner}

    def named_tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Yield `(name, tensor)` in the order of PyTorch's `state_dict()`, aliases included."""
        if not self.ties:
            yield from self._walk(prefix)
            return
        owners = {prefix + alias: prefix + owner for alias, owner in self.ties.items()}
        for name, tensor in self._walk(prefix):
            if name in owners:
                tensor = tensor._replace(quantizable=False, tied_to=owners[name])
            yield name, tensor

    @property
    def entries(self) -> tuple[tuple[str, Tensor], ...]:
        """What `named_tensors` yields, listed once; asked of a part that is complete."""
        if self._entries is None:
            self._entries = tuple(self.named_tensors())
        return self._entries

    def _walk(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        for name, tensor in self.tensors.items():
            yield prefix + name, tensor
        for name, child in self.children.items():
            yield from child.named_tensors(f"{prefix}{name}.")

    def count(self, *, quantizable_only: bool = False) -> int:
        """Number of parameters, tied tensors once and buffers not at all; counted once."""
        kept = "_matrices" if quantizable_only else "_parameters"
        if (known := getattr(self, kept)) is not None:
            return known
        total = -self._tied_count(quantizable_only) if self.ties else 0
        for shape, kind, _, quantizable, _ in self.tensors.values():
            if kind == "parameter" and (quantizable or not quantizable_only):
                total += prod(shape)
        for part in vars(self).values():  # as `children`, which what is counted once need not list
            if isinstance(part, Part):
                total += part.count(quantizable_only=quantizable_only)
        setattr(self, kept, total)
        return total

    def _tied_count(self, quantizable_only: bool) -> int:
        tied = (self.at(alias) for alias in self.ties)
        return sum(t.numel for t in tied if t.quantizable or not quantizable_only)

    def idle(self, *, quantizable_only: bool = False) -> int:
        """Number of parameters that one position does not pass through: unchosen experts."""
        return sum(c.idle(quantizable_only=quantizable_only) for c in self.children.values())

    def frozen(self) -> int:
        """Number of parameters that no optimizer sees."""
        tensors = (tensor for _, tensor in self.entries)
        return sum(t.numel for t in tensors if t.kind == "parameter" and not t.trainable)

    def at(self, path: str) -> Tensor:
        """The tensor at a dotted path."""
        head, _, rest = path.partition(".")
        return self.children[head].at(rest) if rest else self.tensors[head]

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs over `batch` sequences of `length` positions; the children's sum."""
        return sum((c.flops(batch, length) for c in self.children.values()), Flops())

    def forward(self, x: Any) -> Any:
        """The pass of the PyTorch module on arrays of a `Trace`; the children in order."""
        for child in self.children.values():
            x = child(x)
        return x

    def __call__(self, *args: Any, **options: Any) -> Any:
        """As `nn.Module` does: the forward pass."""
        return self.forward(*args, **options)

    def state_elements(self, length: int) -> int:
        """Elements of decode state (KV cache) that one sequence of `length` positions keeps."""
        return sum(c.state_elements(length) for c in self.children.values())


class Repeat(Part):
    """`n` copies of one block, as `nn.ModuleList` holds them; costs stay O(1) in `n`."""

    def __init__(self, block: Part, n: int) -> None:
        super().__init__()
        self.n, self.block = n, block
        self._children = {}  # the copies are counted, not listed

    def _walk(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        entries = list(self.block.named_tensors())
        for i in range(self.n):
            for name, tensor in entries:
                yield f"{prefix}{i}.{name}", tensor

    def count(self, *, quantizable_only: bool = False) -> int:
        return self.n * self.block.count(quantizable_only=quantizable_only)

    def idle(self, *, quantizable_only: bool = False) -> int:
        return self.n * self.block.idle(quantizable_only=quantizable_only)

    def at(self, path: str) -> Tensor:
        return self.block.at(path.partition(".")[2])

    def parts(self) -> Iterator[tuple[str, int, Part]]:
        """The children of the blocks: name, copies, module; a name recurs where blocks differ."""
        yield from ((name, self.n, module) for name, module in self.block.children.items())

    def flops(self, batch: int, length: int) -> Flops:
        return self.block.flops(batch, length) * self.n

    def each(self, trace: Trace, *, wrapped: bool = False) -> Iterator[Callable[..., Array]]:
        """The blocks one by one, to loop over as the PyTorch module does.

        They are checkpointed, where the trace says so, if they are `wrapped` or the trace's own.
        """
        wrapped = wrapped or self is trace.blocks
        for block, n in self.runs():
            run = partial(trace.checkpointed, block.forward) if wrapped else block
            for _ in trace.rounds(n, (self, block)):
                yield run

    def runs(self) -> Iterator[tuple[Part, int]]:
        """Blocks, and how many of each a pass goes through; the kind of the last layer last."""
        yield self.block, self.n

    def forward(self, x: Array, *args: Any, **options: Any) -> Array:
        """The blocks in a row; all of them take the same further arguments."""
        trace, block = x.trace, self.block
        if self is not trace.blocks:
            return trace.repeat(self.n, lambda y: block(y, *args, **options), x)
        run = partial(block.forward, **options)
        return trace.repeat(self.n, lambda y: trace.checkpointed(run, y, *args), x)

    def state_elements(self, length: int) -> int:
        return self.n * self.block.state_elements(length)


class Numbered(Part):
    """Parts under the names 0, 1, 2, ..., as `nn.ModuleList` and `nn.Sequential` hold them."""

    def __init__(self, *parts: Part) -> None:
        super().__init__()
        self.members = parts
        for i, part in enumerate(parts):
            setattr(self, str(i), part)


class Linear(Part):
    """Twin of `nn.Linear`: weight (out_features, in_features), bias (out_features,)."""

    def __init__(self, in_features: int, out_features: int, bias: bool = False) -> None:
        super().__init__()
        self.parameter("weight", out_features, in_features, quantizable=True)
        if bias:
            self.parameter("bias", out_features)

    def flops(self, batch: int, length: int) -> Flops:
        return Flops(2 * batch * length * self.tensors["weight"].numel)

    def forward(self, x: Array) -> Array:
        """(..., in_features) -> (..., out_features)."""
        rows, columns = self.tensors["weight"].shape
        shape = (*x.shape[:-1], rows)
        return x.trace.project(x, self, shape, 2 * prod(shape) * columns)


class Embedding(Part):
    """Twin of `nn.Embedding`: weight (rows, width); a lookup costs no FLOPs."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.parameter("weight", rows, width)

    def forward(self, x: Array) -> Array:
        """(...,) -> (..., width); backward keeps the indices alone, which a batch holds anyway."""
        shape = (*x.shape, self.tensors["weight"].shape[1])
        return x.trace.compute((x.trace.weight(self),), shape, read=0)
