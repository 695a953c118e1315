"""One layer of a patch transformer."""

from torch import Tensor, nn

from .config import Config
from .mlp import MLP
from .vit_block import VitAttention


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of features, over all patches of all series: (B, N, D) -> the same."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class SeriesBlock(nn.Module):
    """Attention among the patches of a variable, then an MLP, each with a norm and a residual."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        width = config.d_model
        if config.norm == "batchnorm":
            self.attn_norm = BatchNorm(width, config.norm_eps)
        else:
            self.attn_norm = nn.LayerNorm(width, config.norm_eps)
        self.attn = VitAttention(config, width, config.n_heads, config.head_dim)
        if config.norm == "batchnorm":
            self.mlp_norm = BatchNorm(width, config.norm_eps)
        else:
            self.mlp_norm = nn.LayerNorm(width, config.norm_eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        if self.config.pre_norm:
            x = x + self.attn(self.attn_norm(x))
            return x + self.mlp(self.mlp_norm(x))
        else:
            x = self.attn_norm(x + self.attn(x))
            return self.mlp_norm(x + self.mlp(x))
