"""Grouped-query self-attention."""

import torch.nn.functional as F
from torch import Tensor, nn

from .cache import Span
from .config import Config
from .norms import RMSNorm


class Attention(nn.Module):
    """Causal self-attention in which H query heads share G key and value heads."""

    def __init__(self, config: Config, layer: int):
        super().__init__()
        self.config = config
        self.layer = layer
        self.head_dim = config.head_dim
        q_dim = config.n_heads * config.head_dim
        kv_dim = config.n_kv_heads * config.head_dim
        self.q_proj = nn.Linear(config.d_model, q_dim, bias=config.attn_qkv_bias)
        self.k_proj = nn.Linear(config.d_model, kv_dim, bias=config.attn_qkv_bias)
        self.v_proj = nn.Linear(config.d_model, kv_dim, bias=config.attn_qkv_bias)
        self.o_proj = nn.Linear(q_dim, config.d_model, bias=config.attn_out_bias)
        if config.qk_norm == "per_head":
            if config.norm == "rmsnorm":
                self.q_norm = RMSNorm(config.head_dim, config.norm_eps)
                self.k_norm = RMSNorm(config.head_dim, config.norm_eps)
            else:
                self.q_norm = nn.LayerNorm(config.head_dim, config.norm_eps, bias=config.norm_bias)
                self.k_norm = nn.LayerNorm(config.head_dim, config.norm_eps, bias=config.norm_bias)
        if config.qk_norm == "full":
            if config.norm == "rmsnorm":
                self.q_norm = RMSNorm(q_dim, config.norm_eps)
                self.k_norm = RMSNorm(kv_dim, config.norm_eps)
            else:
                self.q_norm = nn.LayerNorm(q_dim, config.norm_eps, bias=config.norm_bias)
                self.k_norm = nn.LayerNorm(kv_dim, config.norm_eps, bias=config.norm_bias)

    def forward(self, x: Tensor, span: Span) -> Tensor:
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)  # (B, T, D) -> (B, T, H|G * K)
        if self.config.qk_norm == "full":
            q, k = self.q_norm(q), self.k_norm(k)
        q = q.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, K)
        k = k.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, G, T, K)
        v = v.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, G, T, K)
        if self.config.qk_norm == "per_head":
            q, k = self.q_norm(q), self.k_norm(k)
        if self.config.pos == "rope":
            q, k = span.rotary(q), span.rotary(k)
        if span.cache is not None:
            k, v = span.cache.store(self.layer, k, v)  # (B, G, S, K)
        if self.config.windowed:
            if span.mask is not None:  # the fast kernels take a mask or groups of heads, not both
                groups = q.size(1) // k.size(1)
                k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        causal = span.mask is None and x.size(1) > 1  # the newest token alone sees every key
        y = F.scaled_dot_product_attention(q, k, v, span.mask, is_causal=causal, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, H, T, K) -> (B, T, D)
