"""One layer of a text encoder: attention that looks both ways, and an MLP."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .mlp import MLP


class Sight:
    """Where the tokens of a batch stand, and which of them are text rather than padding.

    Local layers work in chunks of R = sliding_window / 2 tokens: a token sees those of its own
    chunk and of both neighbours that are at most R away, so their cost grows with T, not with T².
    """

    def __init__(self, config: Config, seen: Tensor | None, tokens: Tensor):
        self.config = config
        self.length = tokens.size(1)
        self.mask = None if seen is None else seen[:, None, None]  # (B, 1, 1, T)
        if config.pos == "rope":
            self.turn = rotation(config.head_dim, config.rope_theta, tokens)
        if config.windowed:
            if config.pos == "rope":
                self.local_turn = rotation(config.head_dim, config.local_rope_theta, tokens)
            reach = self.reach = config.sliding_window // 2
            self.chunks = -(-self.length // reach)
            if seen is None:
                seen = torch.ones_like(tokens, dtype=torch.bool)  # (B, T)
            keys = self.neighbours(self.padded(seen[:, None, :, None]))  # (B * chunks, 1, 3R, 1)
            at = torch.arange(3 * reach, device=tokens.device)  # (3R,)
            distance = at[reach : 2 * reach, None] - at  # (R, 3R)
            near = keys.mT & (distance.abs() <= reach)
            self.near = near | (distance == 0)  # (B * chunks, 1, R, 3R); padding sees itself

    def padded(self, x: Tensor) -> Tensor:
        """Whole chunks of (B, H, T, K)."""
        return F.pad(x, (0, 0, 0, self.chunks * self.reach - self.length))

    def neighbours(self, x: Tensor) -> Tensor:
        """Every chunk with those before and after: (B, H, T, K) -> (B * chunks, H, 3R, K)."""
        x = F.pad(x, (0, 0, self.reach, self.reach)).unfold(2, 3 * self.reach, self.reach)
        return x.permute(0, 2, 1, 4, 3).flatten(0, 1)

    def local_attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention within reach, (B, H, T, K) each -> (B, H, T, K)."""
        q = self.padded(q).unflatten(2, (self.chunks, self.reach))  # (B, H, chunks, R, K)
        q = q.transpose(1, 2).flatten(0, 1)  # (B * chunks, H, R, K)
        k, v = self.neighbours(self.padded(k)), self.neighbours(self.padded(v))
        y = F.scaled_dot_product_attention(q, k, v, self.near)
        y = y.unflatten(0, (-1, self.chunks)).transpose(1, 2)  # (B, H, chunks, R, K)
        return y.flatten(2, 3)[:, :, : self.length]


def rotation(head_dim: int, theta: float, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions (Su et al. 2021, eq. 34), (T, K / 2) each."""
    exponents = torch.arange(0, head_dim, 2, device=tokens.device) / head_dim  # (K/2,)
    positions = torch.arange(tokens.size(1), device=tokens.device)  # (T,)
    angles = positions[:, None] * theta**-exponents
    return angles.cos(), angles.sin()


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Turn the pairs (i, i + K/2) of queries or keys, (B, H, T, K) -> the same."""
    cos, sin = turn
    first, second = x.chunk(2, dim=-1)  # (B, H, T, K/2) each
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).type_as(x)


class Attention(nn.Module):
    """Self-attention of every token to every other, or to its neighbourhood in a local layer."""

    def __init__(self, config: Config, layer: int):
        super().__init__()
        self.config = config
        self.head_dim = config.head_dim
        if config.windowed:
            self.local = layer % config.global_every != 0
        width, bias = config.n_heads * config.head_dim, config.attn_bias
        self.q_proj = nn.Linear(config.d_model, width, bias=bias)
        self.k_proj = nn.Linear(config.d_model, width, bias=bias)
        self.v_proj = nn.Linear(config.d_model, width, bias=bias)
        self.o_proj = nn.Linear(width, config.d_model, bias=bias)

    def forward(self, x: Tensor, sight: Sight) -> Tensor:
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)  # (B, T, D) -> (B, T, H * K)
        q = q.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, K)
        k = k.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, K)
        v = v.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, K)
        if self.config.windowed:
            if self.config.pos == "rope":
                turn = sight.local_turn if self.local else sight.turn
                q, k = rotate(q, turn), rotate(k, turn)
            if self.local:
                y = sight.local_attention(q, k, v)
            else:
                y = F.scaled_dot_product_attention(q, k, v, sight.mask)
        else:
            if self.config.pos == "rope":
                q, k = rotate(q, sight.turn), rotate(k, sight.turn)
            y = F.scaled_dot_product_attention(q, k, v, sight.mask)
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, H, T, K) -> (B, T, D)


class Block(nn.Module):
    """Attention and MLP, each added to the residual stream."""

    def __init__(self, config: Config, layer: int):
        super().__init__()
        self.config = config
        dim, eps, bias = config.d_model, config.norm_eps, config.norm_bias
        if config.first_norm:
            self.attn_norm = nn.LayerNorm(dim, eps, bias=bias)
        else:  # the first layer reads embeddings that are normalised already
            self.attn_norm = nn.LayerNorm(dim, eps, bias=bias) if layer else nn.Identity()
        self.attn = Attention(config, layer)
        self.mlp_norm = nn.LayerNorm(dim, eps, bias=bias)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, sight: Sight) -> Tensor:
        if self.config.norm_order == "post":
            x = self.attn_norm(x + self.attn(x, sight))
            return self.mlp_norm(x + self.mlp(x))
        else:
            x = x + self.attn(self.attn_norm(x), sight)
            return x + self.mlp(self.mlp_norm(x))
