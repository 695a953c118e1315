"""Grouped-query causal self-attention."""

from __future__ import annotations

from .base import Flops, Linear, Part
from .norms import Norm


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
        self.window = window
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

    def state_elements(self, length: int) -> int:
        """Keys and values of the positions that remain visible."""
        return 2 * self.n_kv_heads * self.head_dim * min(length, self.window or length)
