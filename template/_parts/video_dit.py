"""A diffusion transformer over clips: it sees noisy frames and says what of them is noise.

Shapes are written in letters:

    B  clips in the batch            D  features of the residual stream
    Z  frames of a clip              T  positions: G times N
    C  channels of a frame's code    S  tokens of a prompt
    Y, X  its rows and columns       W  features of a token
    G  groups of frames, N patches of each
"""

import math

import torch
from torch import Tensor, nn

from .config import Config
from .dit_block import (
    DitAttention,
    DitMLP,
    FinalLayer,
    Modulation,
    TimeEmbedding,
    init_dit_weight,
    modulate,
    sine_positions,
    sinusoids,
)
from .prompt_encoder import pooled, seen_tokens


class VideoBlock(nn.Module):
    """Modulated attention and MLP; attention runs along space, along time, or over everything."""

    def __init__(self, config: Config, along: str = "both"):
        super().__init__()
        self.config = config
        self.along = along
        dim = config.d_model
        self.modulation = Modulation(dim, 6)
        self.attn_norm = nn.LayerNorm(dim, 1e-6, elementwise_affine=False)
        self.attn = DitAttention(dim, config.n_heads, dim)
        self.mlp_norm = nn.LayerNorm(dim, 1e-6, elementwise_affine=False)
        self.mlp = DitMLP(dim, config.d_ff)
        if config.reads_text:
            self.cross_norm = nn.LayerNorm(dim, 1e-6)
            self.cross_attn = DitAttention(dim, config.n_heads, config.text_d_model)

    def forward(
        self, x: Tensor, c: Tensor, groups: int, states: Tensor | None, seen: Tensor | None
    ) -> Tensor:
        """One layer over (B, T, D) under (B, D), and under the prompt's states (B, S, W)."""
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = self.modulation(c)
        x = x + gate_attn * self.attend(modulate(self.attn_norm(x), shift_attn, scale_attn), groups)
        if self.config.reads_text:
            x = x + self.cross_attn(self.cross_norm(x), states, seen)
        return x + gate_mlp * self.mlp(modulate(self.mlp_norm(x), shift_mlp, scale_mlp))

    def attend(self, y: Tensor, groups: int) -> Tensor:
        """Self-attention, (B, T, D) -> (B, T, D)."""
        if self.config.clip_attention == "full":
            return self.attn(y, y)
        grid = y.unflatten(1, (groups, -1))  # (B, T, D) -> (B, G, N, D)
        if self.along == "time":
            grid = grid.transpose(1, 2)  # (B, N, G, D)
        lines = grid.flatten(0, 1)  # one sequence for each group, or for each place
        grid = self.attn(lines, lines).view(grid.shape)
        if self.along == "time":
            grid = grid.transpose(1, 2)
        return grid.flatten(1, 2)  # (B, G, N, D) -> (B, T, D)


class VideoDit(nn.Module):
    """Patches of groups of frames, modulated blocks over them, and a prediction for each patch."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim, codes = config.d_model, config.latent_channels
        voxels = config.tubelet * config.patch_size**2
        if config.conditioned:  # beside what is noisy: what is given, and where
            self.patch_embed = nn.Linear((2 * codes + 1) * voxels, dim)
        else:
            self.patch_embed = nn.Linear(codes * voxels, dim)
        self.time_embed = TimeEmbedding(config.time_features, dim)
        if config.reads_text:
            self.text_embed = nn.Linear(config.text_d_model, dim)
        if config.clip_attention == "full":
            self.blocks = nn.ModuleList(VideoBlock(config) for _ in range(config.n_layers))
        else:
            self.blocks = nn.ModuleList(
                VideoBlock(config, ("space", "time")[i % 2]) for i in range(config.n_layers)
            )
        self.final = FinalLayer(dim, codes * voxels)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; what is embedded keeps its variance beside positions."""
        if name in ("patch_embed.weight", "text_embed.weight"):
            nn.init.normal_(weight, std=weight.size(1) ** -0.5, generator=generator)
        else:
            init_dit_weight(name, weight, generator)

    def forward(
        self,
        noisy: Tensor,
        times: Tensor,
        given: Tensor | None = None,
        states: Tensor | None = None,
        tokens: Tensor | None = None,
    ) -> Tensor:
        """What noisy clips at their times, (B, Z, C, Y, X) and (B,), are made of.

        `given` has the same frames clean where they are known, zero elsewhere, and a channel that
        is 1 where they are: (B, Z, C + 1, Y, X). `states` are (B, S, W), `tokens` (B, S).
        """
        tubelet, patch = self.config.tubelet, self.config.patch_size
        groups, side = noisy.size(1) // tubelet, noisy.size(-1) // patch
        if self.config.conditioned:
            inputs = torch.cat((noisy, given), dim=2)
        else:
            inputs = noisy
        x = self.patch_embed(patches(inputs, tubelet, patch).to(self.patch_embed.weight.dtype))
        x = x + clip_positions(groups, side, x)  # (B, T, D)
        c = self.time_embed(times)  # (B,) -> (B, D)
        seen = None
        if self.config.reads_text:
            c = c + self.text_embed(pooled(states, tokens))
            seen = seen_tokens(tokens)[:, None, None]  # (B, 1, 1, S)
        for block in self.blocks:
            x = block(x, c, groups, states, seen)
        return frames_of(self.final(x, c), noisy.shape, tubelet, patch)


def patches(frames: Tensor, tubelet: int, patch: int) -> Tensor:
    """Frames in groups of `tubelet`, cut into squares: (B, Z, C, Y, X) -> (B, T, voxels * C)."""
    cut = frames.unflatten(1, (-1, tubelet)).unflatten(4, (-1, patch)).unflatten(6, (-1, patch))
    return cut.permute(0, 1, 4, 6, 2, 5, 7, 3).flatten(4).flatten(1, 3)


def frames_of(x: Tensor, shape: tuple[int, ...], tubelet: int, patch: int) -> Tensor:
    """The way back, (B, T, voxels * C) -> `shape`, which is (B, Z, C, Y, X)."""
    count, frames, codes, rows, columns = shape
    grid = (count, frames // tubelet, rows // patch, columns // patch, tubelet, patch, patch, codes)
    return x.view(grid).permute(0, 1, 4, 7, 2, 5, 3, 6).reshape(shape)


def clip_positions(groups: int, side: int, like: Tensor) -> Tensor:
    """Fixed positions in space and time, (T, D): sines of rows, columns and groups."""
    dim = like.size(-1)
    space = sine_positions(side, dim).to(like)  # (N, D)
    time = sinusoids(torch.arange(groups, device=like.device), dim).to(like)  # (G, D)
    return (time[:, None] + space).flatten(0, 1) / math.sqrt(2)
