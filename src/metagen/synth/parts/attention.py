"""Grouped-query causal self-attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arrays import concatenate
from .base import Flops, Linear, Part
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class Rotary:
    """Rotary tables of `length` positions for `width` features of a head, in fp32."""

    def __init__(self, trace: Trace, length: int, width: int) -> None:
        self.width = width
        self.cos, self.sin = (trace.new((length, width // 2), "fp32") for _ in range(2))

    def __call__(self, x: Array) -> Array:
        """(B, heads, T, K) -> the same."""
        still = x.shape[-1] - self.width
        turning = x.narrow(-1, self.width)
        first, second = turning.chunk(2)
        turned_first = first * self.cos - second * self.sin
        turned_second = second * self.cos + first * self.sin
        if not still:
            return concatenate((turned_first, turned_second)).to(x.dtype)
        pieces = turned_first.to(x.dtype), turned_second.to(x.dtype), x.narrow(-1, still)
        return concatenate(pieces)


class Span:
    """Neighbouring positions after `past` others: their rotary tables, and what they see."""

    def __init__(
        self, trace: Trace, length: int, past: int = 0, *, rotary: int = 0, window: int = 0
    ) -> None:
        self.past = min(past, window or past)
        self.rotary = Rotary(trace, length, rotary) if rotary else None
        self.mask = None
        if window and length > 1 and (past or length > window):
            self.mask = trace.new((length, self.past + length), "bool")


class Attention(Part):
    """Grouped-query attention (Ainslie et al., 2023) with optional biases, norms and window."""

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        n_kv_heads: int,
        head_dim: int,
        *,
        qkv_bias: bool = False,
        out_bias: bool = False,
        qk_norm: str = "none",
        norm: str = "rmsnorm",
        norm_bias: bool = False,
        window: int | None = None,
    ) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = n_heads, n_kv_heads, head_dim
        self.window, self.normed = window, qk_norm
        self.q_proj = Linear(d_model, n_heads * head_dim, qkv_bias)
        self.k_proj = Linear(d_model, n_kv_heads * head_dim, qkv_bias)
        self.v_proj = Linear(d_model, n_kv_heads * head_dim, qkv_bias)
        self.o_proj = Linear(n_heads * head_dim, d_model, out_bias)
        if qk_norm != "none":
            whole = qk_norm == "full"
            self.q_norm = Norm(n_heads * head_dim if whole else head_dim, norm, norm_bias)
            self.k_norm = Norm(n_kv_heads * head_dim if whole else head_dim, norm, norm_bias)

    def flops(self, batch: int, length: int) -> Flops:
        """Projections, plus scores and weighted sum: 4 · heads · head_dim for each (query, key)."""
        pairs = length * length
        reach = min(length, self.window or length)
        seen = reach * (reach + 1) // 2 + (length - reach) * reach
        per_pair = 4 * batch * self.n_heads * self.head_dim
        return super().flops(batch, length) + Flops(per_pair * pairs, 0, per_pair * (pairs - seen))

    def forward(self, x: Array, span: Span) -> Array:
        """(B, T, d_model) -> the same; a past is read from a cache, which exists anyway."""
        trace, length = x.trace, x.shape[1]
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        if self.normed == "full":
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = (a.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for a in (q, k, v))
        if self.normed == "per_head":
            q, k = self.q_norm(q), self.k_norm(k)
        if span.rotary:
            q, k = span.rotary(q), span.rotary(k)
        if span.past:
            shape = (x.shape[0], self.n_kv_heads, span.past, self.head_dim)
            if self.window and length > 1:
                past = trace.given(*shape, dtype=k.dtype)
                k, v = concatenate((past, k), 2), concatenate((past, v), 2)
            else:
                seen = (*shape[:2], span.past + length, shape[3])
                k, v = (trace.given(*seen, dtype=a.dtype) for a in (k, v))
        if span.mask is not None:
            groups = self.n_heads // self.n_kv_heads
            k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        y = trace.attend(q, k, v, span.mask, causal=span.mask is None and length > 1)
        y = y.transpose(1, 2)
        if span.rotary or self.normed == "per_head":  # queries lie head by head, and so does y
            y = y.copy()
        return self.o_proj(y.flatten(2))

    def state_elements(self, length: int) -> int:
        """Keys and values of the positions that remain visible."""
        return 2 * self.n_kv_heads * self.head_dim * min(length, self.window or length)
