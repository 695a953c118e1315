"""State-space mixers: Mamba and Mamba-2."""

from __future__ import annotations

from math import ceil, isqrt
from typing import TYPE_CHECKING

from .base import Flops, Linear, Part
from .convolution import at_places, convolve, padded
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array

#: Tokens of a chunk of Mamba-2, as in the PyTorch part.
CHUNK = 64


class Conv(Part):
    """Twin of a causal depthwise `nn.Conv1d`: weight (channels, 1, width), bias (channels,)."""

    def __init__(self, channels: int, width: int, bias: bool) -> None:
        super().__init__()
        self.parameter("weight", channels, 1, width)
        if bias:
            self.parameter("bias", channels)

    def flops(self, batch: int, length: int) -> Flops:
        return Flops(2 * batch * length * self.tensors["weight"].numel)

    def forward(self, x: Array) -> Array:
        """(B, T, channels) -> the same, channel by channel in memory; the past is copied too."""
        length, past = x.shape[1], self.tensors["weight"].shape[2] - 1
        x = padded(x.transpose(1, 2), (length + past,))
        return convolve(x, x.trace.matrix(self), (length,)).transpose(1, 2)

    def state_elements(self, length: int) -> int:
        """The inputs that the next outputs still need."""
        channels, _, width = self.tensors["weight"].shape
        return channels * (width - 1)


class Mamba(Part):
    """The selective state-space mixer (Gu and Dao, 2023)."""

    def __init__(
        self,
        d_model: int,
        d_inner: int,
        d_state: int,
        d_conv: int,
        dt_rank: int,
        *,
        conv_bias: bool = True,
        proj_bias: bool = False,
        dt_b_c_norms: bool = False,
    ) -> None:
        super().__init__()
        self.d_inner, self.d_state = d_inner, d_state
        self.sizes = (dt_rank, d_state, d_state)
        self.parameter("A_log", d_inner, d_state)
        self.parameter("D", d_inner)
        self.in_proj = Linear(d_model, 2 * d_inner, proj_bias)
        self.conv = Conv(d_inner, d_conv, conv_bias)
        self.x_proj = Linear(d_inner, dt_rank + 2 * d_state)
        self.dt_proj = Linear(dt_rank, d_inner, True)
        if dt_b_c_norms:
            self.dt_norm, self.b_norm, self.c_norm = Norm(dt_rank), Norm(d_state), Norm(d_state)
        self.o_proj = Linear(d_inner, d_model, proj_bias)

    def flops(self, batch: int, length: int) -> Flops:
        """Matrices, convolution and the read-out of the state; the scan itself is elementwise.

        Per state and token it takes 8: two products that make decay and input, two chains of
        multiply-adds (within chunks and across them), and the decay since the chunk's start.
        """
        size = isqrt(length - 1) + 1
        padded = size * ceil(length / size)
        states = batch * padded * self.d_inner * self.d_state
        return super().flops(batch, length) + Flops(2 * states, 8 * states)

    def forward(self, x: Array) -> Array:
        """(B, T, d_model) -> the same."""
        trace = x.trace
        x, gate = self.in_proj(x).chunk(2)  # (B, T, E) each
        x = self.conv(x).apply("silu")
        dt, b, c = at_places(self.x_proj, x).split(self.sizes)  # (B, T, R), (B, T, N) twice
        if "dt_norm" in self.children:
            dt, b, c = self.dt_norm(dt), self.b_norm(b), self.c_norm(c)
        dt = self.dt_proj(dt).apply("softplus")
        rate = -trace.weight(self, "A_log").float().apply("exp")
        state = trace.new((x.shape[0], *rate.shape), "fp32")
        y = selective_scan(x, dt, rate, b, c, state)
        y = (y + trace.weight(self, "D") * x).to(x.dtype)
        return self.o_proj(y * gate.apply("silu"))

    def state_elements(self, length: int) -> int:
        """The recurrent state and the convolution's past: the same for every length."""
        return self.d_inner * self.d_state + super().state_elements(length)


class Mamba2(Part):
    """The mixer of Mamba-2 (Dao and Gu, 2024)."""

    def __init__(
        self,
        d_model: int,
        d_inner: int,
        d_state: int,
        d_conv: int,
        n_heads: int,
        n_groups: int,
        *,
        conv_bias: bool = True,
        proj_bias: bool = False,
        gated_norm: bool = True,
    ) -> None:
        super().__init__()
        self.d_inner, self.d_state = d_inner, d_state
        self.n_heads, self.n_groups = n_heads, n_groups
        shared = n_groups * d_state
        width = d_inner + 2 * shared
        self.sizes, self.parts = (d_inner, width, n_heads), (d_inner, shared, shared)
        for name in ("dt_bias", "A_log", "D"):
            self.parameter(name, n_heads)
        self.in_proj = Linear(d_model, d_inner + width + n_heads, proj_bias)
        self.conv = Conv(width, d_conv, conv_bias)
        if gated_norm:
            self.norm = GroupedNorm(d_inner)
        self.o_proj = Linear(d_inner, d_model, proj_bias)

    def flops(self, batch: int, length: int) -> Flops:
        """Matrices, convolution, and the matrix products of each chunk of Q tokens.

        A chunk compares its tokens (2 · groups · Q² · d_state), mixes them (2 · Q² · d_inner),
        and writes and reads the state (4 · Q · d_inner · d_state). Decays and the states' chain,
        2 for each element, are uncounted.
        """
        size = min(CHUNK, length)
        chunks = batch * ceil(length / size)
        pairs = 2 * size * size * (self.n_groups * self.d_state + self.d_inner)
        states = self.d_inner * self.d_state
        counted = chunks * (pairs + 4 * size * states)
        uncounted = chunks * 2 * (size * size * self.n_heads + states)
        return super().flops(batch, length) + Flops(counted, uncounted)

    def forward(self, x: Array) -> Array:
        """(B, T, d_model) -> the same."""
        trace = x.trace
        gate, x, dt = self.in_proj(x).split(self.sizes)  # (B, T, E), (B, T, W), (B, T, H)
        x = self.conv(x).apply("silu")
        x, b, c = x.split(self.parts)
        x = x.unflatten(-1, (self.n_heads, -1))  # (B, T, H, P)
        b, c = (part.unflatten(-1, (self.n_groups, -1)) for part in (b, c))  # (B, T, G, N)
        dt = (dt.float() + trace.weight(self, "dt_bias")).apply("softplus")
        rate = -trace.weight(self, "A_log").float().apply("exp")
        state = trace.new((x.shape[0], *x.shape[2:], self.d_state), "fp32")
        y = state_space_duality(x, dt, rate, b, c, state)
        y = (y + trace.weight(self, "D").unsqueeze(-1) * x).flatten(2).to(gate.dtype)
        y = y * gate.apply("silu")
        if "norm" in self.children:
            y = self.norm(y)
        return self.o_proj(y)

    def state_elements(self, length: int) -> int:
        """The recurrent state and the convolution's past: the same for every length."""
        return self.d_inner * self.d_state + super().state_elements(length)


class GroupedNorm(Norm):
    """RMSNorm within groups of features, then a gain for each feature."""

    def forward(self, x: Array) -> Array:
        """(B, T, width) -> the same."""
        return x.trace.normalise(x, fused=False, gain=False) * x.trace.weight(self)


def selective_scan(x: Array, dt: Array, rate: Array, b: Array, c: Array, state: Array) -> Array:
    """The recurrence of Mamba: (B, T, E), (B, T, E), (E, N), (B, T, N) twice -> (B, T, E)."""
    length = x.shape[1]
    size = isqrt(length - 1) + 1
    chunks = ceil(length / size)
    x, dt, b, c = (
        part.float().pad(1, chunks * size - length).unflatten(1, (chunks, size))
        for part in (x, dt, b, c)
    )  # (B, C, Q, ·)
    decay = (dt.unsqueeze(-1) * rate).apply("exp")  # (B, C, Q, E, N)
    added = (dt * x).unsqueeze(-1) * b.unsqueeze(-2)
    local = recurrence(added.select(2), decay, added, size - 1)
    reach = (dt.cumsum().unsqueeze(-1) * rate).apply("exp")
    states = recurrence(state, reach, added, chunks)
    before = x.trace.compute(states[:1], (x.shape[0], chunks, 1, *rate.shape))
    h = x.trace.compute((added, *local), added.shape, flops=8 * added.numel) + reach * before
    y = (h @ c.unsqueeze(-1)).squeeze(-1)
    return y.flatten(1, 2).narrow(1, length)


def state_space_duality(
    x: Array, dt: Array, rate: Array, b: Array, c: Array, state: Array
) -> Array:
    """That of Mamba-2: (B, T, H, P), (B, T, H), (H,), (B, T, G, N) twice -> (B, T, H, P)."""
    trace, length, (heads, width), groups = x.trace, x.shape[1], x.shape[2:], b.shape[2]
    size = min(CHUNK, length)
    chunks = ceil(length / size)
    dt, x, b, c = (
        part.float().pad(1, chunks * size - length).unflatten(1, (chunks, size)).transpose(2, 3)
        for part in (dt, x, b, c)
    )  # (B, C, H, Q), (B, C, H, Q, P), (B, C, G, Q, N) twice
    dt = dt.unsqueeze(-1)
    x = x * dt
    time = (dt.squeeze(-1) * rate.unsqueeze(-1)).cumsum()  # (B, C, H, Q)

    later = trace.new((size, size), "bool")
    trace.keep(later)
    spans = time.unsqueeze(-1) - time.unsqueeze(-2)
    spans = trace.compute((spans, later), spans.shape)  # (B, C, H, Q, Q)
    scores = folded(c) @ folded(b).transpose(-1, -2)  # (B, C, G, Q, Q)
    scores = scores.repeat_interleave(heads // groups, 2) * spans.apply("exp")
    trace.ops[-1].flops = 2 * scores.numel
    y = scores @ folded(x)  # (B, C, H, Q, P)

    faded = x * (time.narrow(-1, 1) - time).apply("exp").unsqueeze(-1)
    faded = faded.unflatten(2, (groups, -1)).transpose(3, 4).flatten(4)  # (B, C, G, Q, H / G * P)
    left = folded(faded).transpose(-1, -2) @ folded(b)
    left = left.unflatten(3, (-1, width)).flatten(2, 3)  # (B, C, H, P, N)
    states = recurrence(state, time.select(-1).apply("exp"), left, chunks)
    found = trace.compute(states[:1], left.shape, flops=2 * left.numel)
    found = found.unflatten(2, (groups, -1)).flatten(3, 4)
    carried = folded(c) @ found.transpose(-1, -2)  # (B, C, G, Q, H / G * P)
    carried = carried.unflatten(-1, (-1, width)).transpose(3, 4)
    carried = (carried.copy() if 1 < groups < heads else carried).flatten(2, 3)
    y = y + carried * time.apply("exp").unsqueeze(-1)
    return y.transpose(2, 3).copy().flatten(1, 2).narrow(1, length)


def recurrence(first: Array, kept: Array, added: Array, n: int) -> tuple[Array, Array]:
    """`n` steps of h = kept · h + added: the states but the last, and the last.

    Backward needs those that a step begins with.
    """
    trace, shape = first.trace, first.shape
    early = trace.compute((kept, added), (max(0, n - 1), *shape))
    last = trace.compute((kept, added), (min(1, n), *shape), read=0)
    for array in (first, kept, early) if early.grad else ():
        trace.keep(array)
    return early, last


def folded(x: Array) -> Array:
    """Matrices of heads, (B, C, H, Q, P), as a product takes them: one after the other.

    The convolution leaves channels before tokens in memory, so those of one head and sample alone
    need no copy.
    """
    x = x.trace.lowered(x)
    return x.copy() if x.shape[0] * x.shape[2] > 1 else x
