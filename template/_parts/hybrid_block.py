"""One layer of a model that mixes attention with state-space layers."""

from torch import Tensor, nn

from .attention import Attention
from .cache import KVCache, Span
from .config import Config
from .mamba import Mamba
from .mlp import MLP
from .moe import MixtureOfExperts
from .norms import RMSNorm
from .state_cache import StateCache


class HybridBlock(nn.Module):
    """Attention in one layer of each period, a state-space mixer in the others; then an MLP."""

    def __init__(self, config: Config, layer: int):
        super().__init__()
        period, offset = config.attn_layer_period, config.attn_layer_offset
        before = len(range(offset, layer, period))  # attention layers below this one
        self.attends = layer % period == offset
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        if self.attends:
            self.attn = Attention(config, before)
        else:
            self.mamba = Mamba(config, layer - before)
        self.mlp_norm = RMSNorm(config.d_model, config.norm_eps)
        if config.moe:
            if layer % config.expert_layer_period == config.expert_layer_offset:
                self.mlp = MixtureOfExperts(config)
            else:
                self.mlp = MLP(config)
        else:
            self.mlp = MLP(config)

    def forward(self, x: Tensor, span: Span) -> Tensor:
        normed = self.norm(x)
        if self.attends:
            x = x + self.attn(normed, span)
        else:
            x = x + self.mamba(normed, span.cache and span.cache.past)
        return x + self.mlp(self.mlp_norm(x))


class HybridCache(KVCache):
    """Keys and values for the layers that attend, and a state of constant size for the others."""

    def __init__(self, config: Config, batch_size: int, length: int, like: Tensor):
        super().__init__(config, batch_size, length, like)
        self.past = StateCache(config, batch_size, like)

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        return super().nbytes + self.past.nbytes
