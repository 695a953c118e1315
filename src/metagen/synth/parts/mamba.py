"""State-space mixers: Mamba and Mamba-2."""

from __future__ import annotations

from math import ceil, isqrt

from .base import Flops, Linear, Part
from .norms import Norm

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
        width = d_inner + 2 * n_groups * d_state
        for name in ("dt_bias", "A_log", "D"):
            self.parameter(name, n_heads)
        self.in_proj = Linear(d_model, d_inner + width + n_heads, proj_bias)
        self.conv = Conv(width, d_conv, conv_bias)
        if gated_norm:
            self.norm = Norm(d_inner)
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

    def state_elements(self, length: int) -> int:
        """The recurrent state and the convolution's past: the same for every length."""
        return self.d_inner * self.d_state + super().state_elements(length)
