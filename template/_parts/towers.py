"""Encoder towers: pre-norm transformer blocks over text tokens or image patches.

Each tower has a width, a depth and heads of its own, so blocks take their sizes as arguments.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config


class TowerAttention(nn.Module):
    """Multi-head attention of `x` to the tokens `seen`, both as wide as the tower."""

    def __init__(self, dim: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.o_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, seen: Tensor, causal: bool = False) -> Tensor:
        q = self.q_proj(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, H, T, K)
        k = self.k_proj(seen).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, H, S, K)
        v = self.v_proj(seen).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, H, S, K)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, H, T, K) -> (B, T, D)


class TowerMLP(nn.Module):
    """Position-wise feed-forward network of a tower."""

    def __init__(self, config: Config, dim: int, d_ff: int):
        super().__init__()
        self.config = config
        self.up_proj = nn.Linear(dim, d_ff)
        self.down_proj = nn.Linear(d_ff, dim)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.up_proj(x)  # (B, T, D) -> (B, T, F)
        if self.config.tower_activation == "quick_gelu":
            hidden = hidden * torch.sigmoid(1.702 * hidden)  # Hendrycks and Gimpel 2016, section 2
        elif self.config.tower_activation == "gelu":
            hidden = F.gelu(hidden)
        else:
            hidden = F.gelu(hidden, approximate="tanh")
        return self.down_proj(hidden)  # (B, T, F) -> (B, T, D)


class TowerBlock(nn.Module):
    """Attention and MLP, each added to the residual stream."""

    def __init__(self, config: Config, dim: int, n_heads: int, d_ff: int):
        super().__init__()
        self.attn_norm = nn.LayerNorm(dim, config.tower_norm_eps)
        self.attn = TowerAttention(dim, n_heads)
        self.mlp_norm = nn.LayerNorm(dim, config.tower_norm_eps)
        self.mlp = TowerMLP(config, dim, d_ff)

    def forward(self, x: Tensor, causal: bool = False) -> Tensor:
        normed = self.attn_norm(x)  # (B, T, D)
        x = x + self.attn(normed, normed, causal)
        return x + self.mlp(self.mlp_norm(x))


class TextTower(nn.Module):
    """Token ids to one vector: the final hidden state where the text ends."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim, n_heads, d_ff = config.text_d_model, config.text_n_heads, config.text_d_ff
        self.embed = nn.Embedding(config.vocab_size, dim)
        self.pos_embed = nn.Embedding(config.context_length, dim)
        self.blocks = nn.ModuleList(
            TowerBlock(config, dim, n_heads, d_ff) for _ in range(config.text_n_layers)
        )
        self.norm = nn.LayerNorm(dim, config.tower_norm_eps)

    def forward(self, tokens: Tensor, ends: Tensor) -> Tensor:
        x = self.embed(tokens) + self.pos_embed.weight[: tokens.size(1)]  # (B, T) -> (B, T, D)
        for block in self.blocks:
            if self.config.text_causal:
                x = block(x, causal=True)
            else:
                x = block(x)
        return self.norm(x[torch.arange(len(x), device=x.device), ends])  # (B, T, D) -> (B, D)


class ImageTower(nn.Module):
    """Pictures to the hidden states of their patches."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim, n_heads, d_ff = config.vision_d_model, config.vision_n_heads, config.vision_d_ff
        size, channels = config.patch_size, config.channels
        rows = (config.image_size // size) ** 2
        if config.class_token:
            self.class_token = nn.Parameter(torch.zeros(dim))
            rows += 1
        self.patch_embed = nn.Conv2d(channels, dim, size, stride=size, bias=config.patch_bias)
        self.pos_embed = nn.Embedding(rows, dim)
        if config.pre_norm:
            self.pre_norm = nn.LayerNorm(dim, config.tower_norm_eps)
        self.blocks = nn.ModuleList(
            TowerBlock(config, dim, n_heads, d_ff) for _ in range(config.vision_n_layers)
        )
        if config.spare_layers:  # what checkpoints hold beyond the features: frozen, unused
            self.norm = nn.LayerNorm(dim, config.tower_norm_eps)
            self.norm.requires_grad_(False)
            self.read = config.vision_n_layers - config.spare_layers
            self.blocks[self.read :].requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images).flatten(2).transpose(1, 2)  # (B, C, Y, X) -> (B, N, D)
        if self.config.class_token:
            x = torch.cat((self.class_token.expand(len(x), 1, -1), x), dim=1)  # (B, 1 + N, D)
        x = x + self.pos_embed.weight
        if self.config.pre_norm:
            x = self.pre_norm(x)
        if self.config.spare_layers:
            for block in self.blocks[: self.read]:
                x = block(x)
        else:
            for block in self.blocks:
                x = block(x)
        return x
