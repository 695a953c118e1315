"""A diffusion transformer in which a picture and a text meet: two streams, joined in attention.

Shapes are written in letters:

    B  samples in the batch          H  attention heads
    C  channels of what is noisy     K  features of a head
    Y  rows, X  columns              D  features of the residual streams
    N  patches, S  text positions    W  features of a text position
    T  N + S positions               P  features of the pooled text
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .dit_block import (
    ConditionEmbedding,
    DitMLP,
    FinalLayer,
    Modulation,
    TimeEmbedding,
    init_dit_weight,
    modulate,
    sine_positions,
    unpatch,
)
from .patch_embed import PatchEmbed


class Projections(nn.Module):
    """Queries, keys and values of one stream, each (B, H, T, K)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim = config.d_model
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        if config.stream_norm == "rmsnorm":
            self.q_norm = nn.RMSNorm(dim // config.n_heads, 1e-6)
            self.k_norm = nn.RMSNorm(dim // config.n_heads, 1e-6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = (
            project(x).unflatten(-1, (self.config.n_heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        if self.config.stream_norm == "rmsnorm":
            q, k = self.q_norm(q), self.k_norm(k)
        return q, k, v


class OwnAttention(nn.Module):
    """Attention of the patches to each other alone."""

    def __init__(self, config: Config):
        super().__init__()
        self.qkv = Projections(config)
        self.o_proj = nn.Linear(config.d_model, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        y = F.scaled_dot_product_attention(*self.qkv(x))
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, H, N, K) -> (B, N, D)


class Stream(nn.Module):
    """The weights that one kind of token has for itself in a block (Esser et al. 2024, figure 2).

    They are treated as the condition says: `treatment` holds shifts, scales and gates.
    """

    def __init__(self, config: Config, treatments: int = 6):
        super().__init__()
        dim = config.d_model
        self.modulation = Modulation(dim, treatments)
        self.attn_norm = nn.LayerNorm(dim, 1e-6, elementwise_affine=False)
        self.qkv = Projections(config)
        self.o_proj = nn.Linear(dim, dim)
        self.mlp_norm = nn.LayerNorm(dim, 1e-6, elementwise_affine=False)
        self.mlp = DitMLP(dim, config.d_ff)

    def read(self, x: Tensor, treatment: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """What this stream brings to the joint attention, each (B, H, T, K)."""
        shift, scale, *_ = treatment
        return self.qkv(modulate(self.attn_norm(x), shift, scale))

    def write(self, x: Tensor, seen: Tensor, treatment: tuple[Tensor, ...]) -> Tensor:
        """The stream after the block, from what its tokens have seen, (B, T, D)."""
        _, _, gate_attn, shift, scale, gate_mlp = treatment
        x = x + gate_attn * self.o_proj(seen)
        return x + gate_mlp * self.mlp(modulate(self.mlp_norm(x), shift, scale))


class DualStream(Stream):
    """A stream whose tokens also attend to each other alone, as in Stable Diffusion 3.5."""

    def __init__(self, config: Config):
        super().__init__(config, treatments=9)
        self.own_attn = OwnAttention(config)

    def write(self, x: Tensor, seen: Tensor, treatment: tuple[Tensor, ...]) -> Tensor:
        shift, scale, gate = treatment[6:]
        own = self.own_attn(modulate(self.attn_norm(x), shift, scale))  # (B, N, D)
        return super().write(x + gate * own, seen, treatment[:6])


class LastStream(nn.Module):
    """A stream that is looked at for the last time."""

    def __init__(self, config: Config):
        super().__init__()
        self.modulation = Modulation(config.d_model, 2)
        self.attn_norm = nn.LayerNorm(config.d_model, 1e-6, elementwise_affine=False)
        self.qkv = Projections(config)

    def read(self, x: Tensor, treatment: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """What this stream brings to the joint attention, each (B, H, T, K)."""
        return self.qkv(modulate(self.attn_norm(x), *treatment))

    def write(self, x: Tensor, seen: Tensor, treatment: tuple[Tensor, ...]) -> Tensor:
        """Nothing more: the stream as it was."""
        return x


class MmditBlock(nn.Module):
    """One layer of two streams, which share their attention."""

    def __init__(self, image: nn.Module, text: nn.Module):
        super().__init__()
        self.image = image
        self.text = text

    def forward(self, x: Tensor, text: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Patches (B, N, D) and text (B, S, D) under the condition `c`, (B, D)."""
        for_image, for_text = self.image.modulation(c), self.text.modulation(c)
        both = zip(self.image.read(x, for_image), self.text.read(text, for_text), strict=True)
        q, k, v = (torch.cat(pair, dim=2) for pair in both)  # (B, H, T, K)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # (B, T, D)
        image_seen, text_seen = y.tensor_split([x.size(1)], dim=1)
        x = self.image.write(x, image_seen, for_image)
        return x, self.text.write(text, text_seen, for_text)


class Mmdit(nn.Module):
    """Noisy patches and a text, denoised together.

    From `channels_in` channels of a square of `side` rows to `channels_out`.
    """

    def __init__(self, config: Config, channels_in: int, channels_out: int, side: int):
        super().__init__()
        self.config = config
        dim, last = config.d_model, config.n_layers - 1
        self.grid = side // config.patch_size
        self.register_buffer("pos_embed", self.positions())
        self.patch_embed = PatchEmbed(channels_in, dim, config.patch_size)
        self.time_embed = TimeEmbedding(config.time_features, dim)
        self.pooled_embed = ConditionEmbedding(config.pooled_dim, dim)
        self.text_proj = nn.Linear(config.text_d_model, dim)
        self.blocks = nn.ModuleList(
            MmditBlock(
                DualStream(config) if config.dual and i < config.dual_layers else Stream(config),
                Stream(config) if i < last else LastStream(config),
            )
            for i in range(config.n_layers)
        )
        self.final = FinalLayer(dim, config.patch_size**2 * channels_out)

    def positions(self) -> Tensor:
        """Fixed positions, (1, N, D); those of a larger square span what this one would."""
        if self.config.spare_positions:
            side = self.config.largest_grid
            return sine_positions(side, self.config.d_model, side / self.grid)[None]
        else:
            return sine_positions(self.grid, self.config.d_model)[None]

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`."""
        if name.endswith("pos_embed"):
            weight.copy_(self.positions())
        else:
            init_dit_weight(name, weight, generator)

    def forward(self, noisy: Tensor, times: Tensor, states: Tensor, pooled: Tensor) -> Tensor:
        """What the noisy samples at their times, (B, C, Y, X) and (B,), are made of.

        The text arrives as hidden states, (B, S, W), its padding included, and as one vector,
        (B, P).
        """
        if self.config.spare_positions:
            x = self.patch_embed(noisy) + middle(self.pos_embed, self.grid)
        else:
            x = self.patch_embed(noisy) + self.pos_embed  # (B, C, Y, X) -> (B, N, D)
        if self.config.pooled_cut:
            pooled = pooled[:, : self.config.pooled_dim]
        c = self.time_embed(times) + self.pooled_embed(pooled)  # (B, D)
        text = self.text_proj(states)  # (B, S, W) -> (B, S, D)
        for block in self.blocks:
            x, text = block(x, text, c)
        return unpatch(self.final(x, c), self.config.patch_size)  # (B, N, D) -> (B, C, Y, X)


def middle(table: Tensor, grid: int) -> Tensor:
    """The square of `grid` rows in the middle of a larger square of positions, (1, M, D)."""
    side = math.isqrt(table.size(1))
    reach = slice((side - grid) // 2, (side - grid) // 2 + grid)
    return table.unflatten(1, (side, side))[:, reach, reach].flatten(1, 2)  # (1, N, D)
