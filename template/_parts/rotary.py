"""Rotary positions."""

import torch
from torch import Tensor

from .config import Config


class Rotary:
    """Rotary position embedding (Su et al. 2021, eq. 34) for the tokens at `positions`.

    Features i and i + R/2 of a head form a pair, which turns by position * theta^(-2i/R). The
    tables are computed in float32 for every forward pass: no buffer, nothing to save or to move.
    """

    def __init__(self, config: Config, positions: Tensor):
        self.config = config
        if config.rotary_pct == 1.0:
            self.dim = config.head_dim
        else:
            self.dim = 2 * int(config.head_dim * config.rotary_pct / 2)
        exponents = torch.arange(0, self.dim, 2, device=positions.device) / self.dim  # (R/2,)
        angles = positions[:, None] * config.rope_theta**-exponents  # (T, R/2)
        self.cos, self.sin = angles.cos(), angles.sin()

    def __call__(self, x: Tensor) -> Tensor:
        """Rotate queries or keys, (B, heads, T, K) -> the same."""
        if self.config.rotary_pct == 1.0:
            first, second = x.chunk(2, dim=-1)  # (B, heads, T, R/2) each
        else:
            turning, still = x[..., : self.dim], x[..., self.dim :]
            first, second = turning.chunk(2, dim=-1)  # (B, heads, T, R/2) each
        turned_first = first * self.cos - second * self.sin
        turned_second = second * self.cos + first * self.sin
        if self.config.rotary_pct == 1.0:
            return torch.cat((turned_first, turned_second), dim=-1).type_as(x)
        else:
            return torch.cat((turned_first.type_as(x), turned_second.type_as(x), still), dim=-1)
