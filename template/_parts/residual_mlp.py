"""A perceptron added to its input."""

import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config


class ResidualMLP(nn.Module):
    """A block of a residual perceptron (Gorishniy et al. 2021, section 3.2).

    It normalises each vector by itself, where the source normalises over the batch: so no row
    depends on those beside it.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.up_proj = nn.Linear(config.d_model, config.d_ff)
        self.down_proj = nn.Linear(config.d_ff, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.up_proj(self.norm(x)))  # (B, D) -> (B, F)
        return x + self.down_proj(hidden)  # (B, F) -> (B, D)
