"""One layer of a vision transformer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config


class VitAttention(nn.Module):
    """Self-attention in which every position sees every other."""

    def __init__(self, config: Config, d_model: int, n_heads: int, head_dim: int):
        super().__init__()
        self.n_heads = n_heads
        width = n_heads * head_dim
        self.q_proj = nn.Linear(d_model, width, bias=config.attn_qkv_bias)
        self.k_proj = nn.Linear(d_model, width, bias=config.attn_qkv_bias)
        self.v_proj = nn.Linear(d_model, width, bias=config.attn_qkv_bias)
        self.o_proj = nn.Linear(width, d_model)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            project(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, H, T, K)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        y = F.scaled_dot_product_attention(q, k, v)
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, H, T, K) -> (B, T, D)


class VitMLP(nn.Module):
    """Position-wise feed-forward network."""

    def __init__(self, config: Config, d_model: int, d_ff: int):
        super().__init__()
        self.config = config
        self.up_proj = nn.Linear(d_model, d_ff)
        self.down_proj = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.up_proj(x)  # (B, T, D) -> (B, T, F)
        if self.config.activation == "quick_gelu":
            hidden = hidden * torch.sigmoid(1.702 * hidden)
        elif self.config.activation == "gelu":
            hidden = F.gelu(hidden)
        else:
            hidden = F.gelu(hidden, approximate="tanh")
        return self.down_proj(hidden)  # (B, T, F) -> (B, T, D)


class VitBlock(nn.Module):
    """Attention and MLP, each normalised first and added to the residual stream."""

    def __init__(self, config: Config, d_model: int, n_heads: int, head_dim: int, d_ff: int):
        super().__init__()
        self.attn_norm = nn.LayerNorm(d_model, config.norm_eps)
        self.attn = VitAttention(config, d_model, n_heads, head_dim)
        self.mlp_norm = nn.LayerNorm(d_model, config.norm_eps)
        self.mlp = VitMLP(config, d_model, d_ff)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.attn_norm(x))
        return x + self.mlp(self.mlp_norm(x))
