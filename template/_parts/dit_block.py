"""Layers of diffusion transformers, modulated by what the denoiser is told."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sinusoids(times: Tensor, width: int) -> Tensor:
    """Cosines and sines of times at falling frequencies, (B,) -> (B, width)."""
    steps = torch.arange(width // 2, device=times.device, dtype=torch.float32)
    angles = times[:, None].float() * torch.exp(-math.log(10_000) / (width // 2) * steps)
    return torch.cat((angles.cos(), angles.sin()), dim=-1)


class ConditionEmbedding(nn.Module):
    """A vector that the denoiser is told, brought to its width by a small MLP."""

    def __init__(self, dim_in: int, d_model: int):
        super().__init__()
        self.up_proj = nn.Linear(dim_in, d_model)
        self.down_proj = nn.Linear(d_model, d_model)

    def forward(self, vectors: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.up_proj(vectors)))  # (B, dim_in) -> (B, D)


class TimeEmbedding(ConditionEmbedding):
    """A vector for each time, from `dim_in` sinusoids."""

    def __init__(self, dim_in: int, d_model: int):
        super().__init__(dim_in, d_model)
        self.dim_in = dim_in

    def forward(self, times: Tensor) -> Tensor:
        waves = sinusoids(times, self.dim_in)  # (B,) -> (B, dim_in)
        return super().forward(waves.to(self.up_proj.weight.dtype))  # (B, dim_in) -> (B, D)


class DitAttention(nn.Module):
    """Multi-head attention of `x` to the vectors `seen`; a set entry of `mask` may be looked at."""

    def __init__(self, d_model: int, n_heads: int, seen_width: int):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(seen_width, d_model)
        self.v_proj = nn.Linear(seen_width, d_model)
        self.o_proj = nn.Linear(d_model, d_model)

    def forward(self, x: Tensor, seen: Tensor, mask: Tensor | None = None) -> Tensor:
        # Queries are (B, heads, T, features), keys and values (B, heads, S, features).
        q = self.q_proj(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        k = self.k_proj(seen).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        v = self.v_proj(seen).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, mask)
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, T, D)


class DitMLP(nn.Module):
    """Position-wise feed-forward network."""

    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.up_proj = nn.Linear(d_model, d_ff)
        self.down_proj = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.gelu(self.up_proj(x), approximate="tanh"))  # (B, T, D)


class Modulation(nn.Linear):
    """`count` vectors that say how to treat every position (Peebles and Xie 2023, section 3.2).

    The condition is (B, D) for whole sequences, or (B, T, D) where positions differ.
    """

    def __init__(self, d_model: int, count: int):
        super().__init__(d_model, count * d_model)
        self.count = count

    def forward(self, condition: Tensor) -> tuple[Tensor, ...]:
        vectors = super().forward(F.silu(condition))  # (B, D) -> (B, count * D)
        return vectors.reshape(len(vectors), -1, self.out_features).chunk(self.count, dim=-1)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Move normalised features as the condition says, (B, T, D) and (B, 1, D) twice."""
    return x * (1 + scale) + shift


class DitBlock(nn.Module):
    """Self-attention and MLP whose norms and outputs the condition modulates (adaLN-zero)."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int):
        super().__init__()
        self.modulation = Modulation(d_model, 6)
        self.attn_norm = nn.LayerNorm(d_model, 1e-6, elementwise_affine=False)
        self.attn = DitAttention(d_model, n_heads, d_model)
        self.mlp_norm = nn.LayerNorm(d_model, 1e-6, elementwise_affine=False)
        self.mlp = DitMLP(d_model, d_ff)

    def forward(self, x: Tensor, c: Tensor, mask: Tensor | None = None) -> Tensor:
        """One layer over `x`, (B, T, D), under the condition `c`, (B, D) or (B, T, D).

        A boolean `mask` that broadcasts to (B, heads, T, T) says which positions see which.
        """
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = self.modulation(c)
        y = modulate(self.attn_norm(x), shift_attn, scale_attn)
        x = x + gate_attn * self.attn(y, y, mask)
        y = modulate(self.mlp_norm(x), shift_mlp, scale_mlp)
        return x + gate_mlp * self.mlp(y)


class CrossDitBlock(DitBlock):
    """A block that attends to a context of width `context_width` between its two halves."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, context_width: int):
        super().__init__(d_model, n_heads, d_ff)
        self.cross_norm = nn.LayerNorm(d_model, 1e-6)
        self.cross_attn = DitAttention(d_model, n_heads, context_width)

    def forward(self, x: Tensor, c: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """As for `DitBlock`, with a `context`, (B, S, C)."""
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = self.modulation(c)
        y = modulate(self.attn_norm(x), shift_attn, scale_attn)
        x = x + gate_attn * self.attn(y, y, mask)
        x = x + self.cross_attn(self.cross_norm(x), context)
        y = modulate(self.mlp_norm(x), shift_mlp, scale_mlp)
        return x + gate_mlp * self.mlp(y)


class FinalLayer(nn.Module):
    """From the residual stream to what every position predicts."""

    def __init__(self, d_model: int, width_out: int):
        super().__init__()
        self.modulation = Modulation(d_model, 2)
        self.norm = nn.LayerNorm(d_model, 1e-6, elementwise_affine=False)
        self.proj = nn.Linear(d_model, width_out)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        shift, scale = self.modulation(c)
        return self.proj(modulate(self.norm(x), shift, scale))  # (B, T, D) -> (B, T, width_out)


def init_dit_weight(name: str, weight: Tensor, generator: torch.Generator) -> None:
    """Fill a weight so that every block starts as the identity, and the output as zero.

    Modulations and final projection are zero, embeddings of conditions small, the rest is
    Xavier-uniform (Peebles and Xie 2023, section 3.2).
    """
    if "norm" in name and name.endswith("weight"):
        nn.init.ones_(weight)
    elif name.endswith("bias") or "modulation" in name or name.endswith("final.proj.weight"):
        nn.init.zeros_(weight)
    elif weight.dim() > 1 and ("embed" not in name or "patch" in name):
        nn.init.xavier_uniform_(weight.flatten(1), generator=generator)
    else:
        nn.init.normal_(weight, std=0.02, generator=generator)


def sine_positions(side: int, width: int, scale: float = 1.0) -> Tensor:
    """Fixed positions of a square of patches, columns in the first half: (side * side, width).

    Columns and rows are divided by `scale` before their sines and cosines are taken.
    """
    axis = torch.arange(side, dtype=torch.float64) / scale
    steps = torch.arange(width // 4, dtype=torch.float64)
    angles = axis[:, None] * torch.exp(-math.log(10_000) / (width // 4) * steps)
    table = torch.cat((angles.sin(), angles.cos()), dim=1)  # (side, width / 2)
    columns, rows = table.repeat(side, 1), table.repeat_interleave(side, dim=0)
    return torch.cat((columns, rows), dim=1).float()


def unpatch(x: Tensor, patch_size: int) -> Tensor:
    """A square of patches as a picture, (B, N, patch_size^2 * C) -> (B, C, Y, X)."""
    side = math.isqrt(x.size(1))
    x = x.view(len(x), side, side, patch_size, patch_size, -1)
    return x.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)  # rows by rows, columns by columns
