"""The feed-forward half of a block."""

from torch import Tensor, nn

from .config import Config


class MLP(nn.Module):
    """Position-wise feed-forward network."""

    def __init__(self, config: Config):
        super().__init__()
        if config.mlp == "gated":
            self.gate_proj = nn.Linear(config.d_model, config.d_ff, bias=config.mlp_bias)
        self.up_proj = nn.Linear(config.d_model, config.d_ff, bias=config.mlp_bias)
        self.down_proj = nn.Linear(config.d_ff, config.d_model, bias=config.mlp_bias)
        if config.activation == "silu":
            self.activation = nn.SiLU()
        elif config.activation == "relu":
            self.activation = nn.ReLU()
        elif config.activation == "gelu":
            self.activation = nn.GELU()
        else:
            self.activation = nn.GELU(approximate="tanh")
        self.config = config

    def forward(self, x: Tensor) -> Tensor:
        if self.config.mlp == "gated":
            hidden = self.activation(self.gate_proj(x)) * self.up_proj(x)  # (B, T, D) -> (B, T, F)
        else:
            hidden = self.activation(self.up_proj(x))  # (B, T, D) -> (B, T, F)
        return self.down_proj(hidden)  # (B, T, F) -> (B, T, D)
