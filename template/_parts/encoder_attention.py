"""Multi-head attention within a sequence and from one sequence to another."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .rotary import Rotary


class Span:
    """What neighbouring positions of a sequence may see.

    `mask` broadcasts to (B, H, T, S): set where a query may look, or added to the scores. None
    stands for everything, or for everything earlier where `causal` is set.
    """

    def __init__(
        self, config: Config, positions: Tensor, mask: Tensor | None = None, causal: bool = False
    ):
        self.mask, self.causal = mask, causal
        if config.pos == "rope":
            self.rotary = Rotary(config, positions)


class Cache:
    """Decoder keys and values: of its own positions so far, and of the whole source."""

    def __init__(self, config: Config, layers: int, batch_size: int, length: int, like: Tensor):
        shape = (layers, batch_size, config.n_heads, length, config.head_dim)
        self.keys = like.new_zeros(shape)  # (L, B, H, T, K)
        self.values = like.new_zeros(shape)  # (L, B, H, T, K)
        self.cross: list[tuple[Tensor, Tensor]] = []  # (B, H, S, K) for each layer, made once
        self.seen = 0  # positions so far, which the model counts after its last layer

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""
        crossed = sum(k.nbytes + v.nbytes for k, v in self.cross)
        return self.keys.nbytes + self.values.nbytes + crossed

    def clear(self) -> None:
        """Forget everything: another source follows."""
        self.cross, self.seen = [], 0

    def store(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add T positions, (B, H, T, K), and return all that they attend to."""
        start, end = self.seen, self.seen + k.size(2)
        self.keys[layer, :, :, start:end], self.values[layer, :, :, start:end] = k, v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention with H heads (Vaswani et al. 2017, section 3.2)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.head_dim = config.head_dim
        width = config.n_heads * config.head_dim
        self.q_proj = nn.Linear(config.d_model, width, bias=config.attn_bias)
        self.k_proj = nn.Linear(config.d_model, width, bias=config.key_bias)
        self.v_proj = nn.Linear(config.d_model, width, bias=config.attn_bias)
        self.o_proj = nn.Linear(width, config.d_model, bias=config.attn_bias)

    def heads(self, x: Tensor) -> Tensor:
        """Cut features into heads, (B, T, H * K) -> (B, H, T, K)."""
        return x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        """Mix values by the similarity of queries and keys, (B, H, T|S, K) -> (B, T, D)."""
        if self.config.attn_scale:
            y = F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal)
        else:
            y = F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, scale=1.0)
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, H, T, K) -> (B, T, D)


class SelfAttention(MultiHeadAttention):
    """Attention of a sequence to itself; in the decoder, to its past."""

    def forward(self, x: Tensor, span: Span, cache: Cache | None = None, layer: int = 0) -> Tensor:
        q, k, v = self.heads(self.q_proj(x)), self.heads(self.k_proj(x)), self.heads(self.v_proj(x))
        if self.config.pos == "rope":
            q, k = span.rotary(q), span.rotary(k)
        if cache is not None:
            k, v = cache.store(layer, k, v)  # (B, H, S, K)
        return self.attend(q, k, v, span.mask, span.causal)


class CrossAttention(MultiHeadAttention):
    """Attention of the decoder to the encoded source."""

    def keys_values(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder looks up, (B, S, D) -> (B, H, S, K) twice."""
        return self.heads(self.k_proj(memory)), self.heads(self.v_proj(memory))

    def forward(self, x: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        return self.attend(self.heads(self.q_proj(x)), k, v, mask, causal=False)


class RelativeBias(nn.Embedding):
    """A learned score for each head and distance bucket (Raffel et al. 2020, section 2.1).

    Half of the buckets count single steps; the rest grow logarithmically up to the farthest
    distance. A bidirectional table splits its buckets between the two directions.
    """

    def __init__(self, config: Config, bidirectional: bool):
        super().__init__(config.rel_buckets, config.n_heads)
        self.bidirectional, self.farthest = bidirectional, config.rel_max_distance

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Scores to add, for positions (T,) and (S,) -> (1, H, T, S)."""
        distance = keys - queries[:, None]  # (T, S)
        count, offset = self.num_embeddings, torch.zeros_like(distance)
        if self.bidirectional:
            count //= 2
            offset = (distance > 0) * count
            distance = distance.abs()
        else:
            distance = (-distance).clamp(min=0)
        single = count // 2
        octaves = torch.log(distance.clamp(min=1) / single) / math.log(self.farthest / single)
        far = (single + (octaves * (count - single)).long()).clamp(max=count - 1)
        bucket = offset + torch.where(distance < single, distance, far)
        return super().forward(bucket).permute(2, 0, 1)[None]  # (T, S, H) -> (1, H, T, S)
