"""State-space mixers: Mamba and Mamba-2."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .norms import RMSNorm
from .selective_scan import selective_scan
from .ssd import state_space_duality
from .state_cache import StateCache


class Mamba(nn.Module):
    """The selective state-space mixer (Gu and Dao 2023, figure 3): projection, scan, gate."""

    def __init__(self, config: Config, layer: int):
        super().__init__()
        self.config = config
        self.layer = layer
        inner, states = config.d_inner, config.d_state
        self.sizes = [config.dt_rank, states, states]
        self.A_log = nn.Parameter(torch.empty(inner, states))
        self.D = nn.Parameter(torch.empty(inner))
        self.in_proj = nn.Linear(config.d_model, 2 * inner, bias=config.proj_bias)
        self.conv = nn.Conv1d(inner, inner, config.d_conv, groups=inner, bias=config.conv_bias)
        self.x_proj = nn.Linear(inner, sum(self.sizes), bias=False)
        self.dt_proj = nn.Linear(config.dt_rank, inner)
        if config.dt_b_c_norms:
            self.dt_norm = RMSNorm(config.dt_rank, config.norm_eps)
            self.b_norm = RMSNorm(states, config.norm_eps)
            self.c_norm = RMSNorm(states, config.norm_eps)
        self.o_proj = nn.Linear(inner, config.d_model, bias=config.proj_bias)

    def forward(self, x: Tensor, cache: StateCache | None = None) -> Tensor:
        x, gate = self.in_proj(x).chunk(2, dim=-1)  # (B, T, D) -> (B, T, E) each
        x = F.silu(causal_conv(self.conv, x, self.layer, cache))
        dt, b, c = self.x_proj(x).split(self.sizes, dim=-1)  # (B, T, R), (B, T, N) twice
        if self.config.dt_b_c_norms:
            dt, b, c = self.dt_norm(dt), self.b_norm(b), self.c_norm(c)
        dt = F.softplus(self.dt_proj(dt))  # (B, T, R) -> (B, T, E)
        rate = -self.A_log.float().exp()  # (E, N)
        state = cache.states[self.layer] if cache else rate.new_zeros(len(x), *rate.shape)
        y, state = selective_scan(x, dt, rate, b, c, state)
        if cache is not None:
            cache.states[self.layer] = state
        y = (y + self.D * x).type_as(x)
        return self.o_proj(y * F.silu(gate))  # (B, T, E) -> (B, T, D)


class Mamba2(nn.Module):
    """The mixer of Mamba-2 (Dao and Gu 2024, figure 6): one decay rate for each of H heads."""

    def __init__(self, config: Config, layer: int):
        super().__init__()
        self.config = config
        self.layer = layer
        inner, shared = config.d_inner, config.n_groups * config.d_state
        width = inner + 2 * shared
        self.sizes = [inner, width, config.n_heads]
        self.parts = [inner, shared, shared]
        self.dt_bias = nn.Parameter(torch.empty(config.n_heads))
        self.A_log = nn.Parameter(torch.empty(config.n_heads))
        self.D = nn.Parameter(torch.empty(config.n_heads))
        self.in_proj = nn.Linear(config.d_model, sum(self.sizes), bias=config.proj_bias)
        self.conv = nn.Conv1d(width, width, config.d_conv, groups=width, bias=config.conv_bias)
        if config.gated_norm:
            self.norm = GroupNorm(inner, config.n_groups, config.norm_eps)
        self.o_proj = nn.Linear(inner, config.d_model, bias=config.proj_bias)

    def forward(self, x: Tensor, cache: StateCache | None = None) -> Tensor:
        gate, x, dt = self.in_proj(x).split(self.sizes, dim=-1)  # (B, T, E), (B, T, W), (B, T, H)
        x = F.silu(causal_conv(self.conv, x, self.layer, cache))
        x, b, c = x.split(self.parts, dim=-1)  # (B, T, E), (B, T, G * N) twice
        x = x.unflatten(-1, (self.config.n_heads, -1))  # (B, T, H, P)
        b = b.unflatten(-1, (self.config.n_groups, -1))  # (B, T, G, N)
        c = c.unflatten(-1, (self.config.n_groups, -1))  # (B, T, G, N)
        dt = F.softplus(dt.float() + self.dt_bias)  # (B, T, H)
        rate = -self.A_log.float().exp()  # (H,)
        empty = (len(x), *x.shape[2:], self.config.d_state)
        state = cache.states[self.layer] if cache else rate.new_zeros(empty)  # (B, H, P, N)
        y, state = state_space_duality(x, dt, rate, b, c, state)
        if cache is not None:
            cache.states[self.layer] = state
        y = (y + self.D[:, None] * x).flatten(2).type_as(gate)  # (B, T, E)
        y = y * F.silu(gate)
        if self.config.gated_norm:
            y = self.norm(y)
        return self.o_proj(y)  # (B, T, E) -> (B, T, D)


class GroupNorm(nn.Module):
    """Root-mean-square normalisation within each of `groups` equal parts of the last axis."""

    def __init__(self, dim: int, groups: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.groups = groups
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x = x.unflatten(-1, (self.groups, -1))  # (B, T, G, E / G)
        return F.rms_norm(x, x.shape[-1:], eps=self.eps).flatten(-2) * self.weight


def causal_conv(conv: nn.Conv1d, x: Tensor, layer: int, cache: StateCache | None) -> Tensor:
    """Mix each channel with its last few values, (B, T, W) -> the same; a `cache` has the past."""
    x = x.transpose(1, 2)  # (B, W, T)
    past = conv.kernel_size[0] - 1
    if cache is None:
        x = F.pad(x, (past, 0))
    else:
        x = torch.cat((cache.tails[layer], x), dim=2)
        cache.tails[layer] = x[..., -past:]
    return conv(x).transpose(1, 2)
