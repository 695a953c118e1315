"""One layer of the backbone."""

from torch import Tensor, nn

from .attention import Attention
from .cache import Span
from .config import Config
from .mlp import MLP
from .moe import MixtureOfExperts
from .norms import RMSNorm


class Block(nn.Module):
    """Attention and MLP, each added to the residual stream."""

    def __init__(self, config: Config, layer: int):
        super().__init__()
        self.config = config
        dim, eps = config.d_model, config.norm_eps
        if config.norm == "rmsnorm":
            self.attn_norm = RMSNorm(dim, eps)
        else:
            self.attn_norm = nn.LayerNorm(dim, eps, bias=config.norm_bias)
        self.attn = Attention(config, layer)
        if config.norms_per_layer == 4:
            if config.norm == "rmsnorm":
                self.attn_post_norm = RMSNorm(dim, eps)
            else:
                self.attn_post_norm = nn.LayerNorm(dim, eps, bias=config.norm_bias)
        if config.norms_per_layer > 1:
            if config.norm == "rmsnorm":
                self.mlp_norm = RMSNorm(dim, eps)
            else:
                self.mlp_norm = nn.LayerNorm(dim, eps, bias=config.norm_bias)
        if config.moe:
            self.mlp = MixtureOfExperts(config)
        else:
            self.mlp = MLP(config)
        if config.norms_per_layer == 4:
            if config.norm == "rmsnorm":
                self.mlp_post_norm = RMSNorm(dim, eps)
            else:
                self.mlp_post_norm = nn.LayerNorm(dim, eps, bias=config.norm_bias)

    def forward(self, x: Tensor, span: Span) -> Tensor:
        if self.config.parallel_block:
            if self.config.norms_per_layer == 1:
                normed = self.attn_norm(x)  # (B, T, D), shared by both halves
                return x + self.attn(normed, span) + self.mlp(normed)
            else:
                return x + self.attn(self.attn_norm(x), span) + self.mlp(self.mlp_norm(x))
        else:
            if self.config.post_norm:
                x = x + self.attn_norm(self.attn(x, span))
                return x + self.mlp_norm(self.mlp(x))
            elif self.config.norms_per_layer == 4:
                x = x + self.attn_post_norm(self.attn(self.attn_norm(x), span))
                return x + self.mlp_post_norm(self.mlp(self.mlp_norm(x)))
            else:
                x = x + self.attn(self.attn_norm(x), span)
                return x + self.mlp(self.mlp_norm(x))
