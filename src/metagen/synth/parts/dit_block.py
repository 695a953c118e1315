"""Layers of diffusion transformers, modulated by what the denoiser is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arrays import concatenate
from .base import Flops, Linear, Part
from .mlp import MLP
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array


class PerSample(Linear):
    """A linear layer with a bias that reads `vectors` vectors of a sample, not its positions."""

    def __init__(self, in_features: int, out_features: int, vectors: int = 1) -> None:
        super().__init__(in_features, out_features, True)
        self.vectors = vectors

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.vectors)


class ConditionEmbedding(Part):
    """An MLP from `dim_in` features to `d_model`, over `vectors` vectors of a sample."""

    def __init__(self, dim_in: int, d_model: int, vectors: int = 1) -> None:
        super().__init__()
        self.up_proj = PerSample(dim_in, d_model, vectors)
        self.down_proj = PerSample(d_model, d_model, vectors)

    def forward(self, x: Array) -> Array:
        """(..., dim_in) -> (..., d_model)."""
        return self.down_proj(self.up_proj(x).apply("silu"))


class TimeEmbedding(ConditionEmbedding):
    """The same over sinusoids of times."""

    def forward(self, x: Array) -> Array:
        """Times (...) -> (..., d_model)."""
        width = self.up_proj.tensors["weight"].shape[1]
        return super().forward(sinusoids(x, width).to(x.trace.weights))


class DitAttention(Part):
    """Attention of `length` positions to `seen` vectors of width `seen_width`.

    Without `seen` a sequence sees itself. `masked` is the share of pairs that a mask leaves out.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        seen_width: int,
        seen: int | None = None,
        *,
        masked: float = 0.0,
    ) -> None:
        super().__init__()
        self.width, self.seen, self.masked = d_model, seen, masked
        self.n_heads = n_heads
        self.q_proj = Linear(d_model, d_model, True)
        self.k_proj = Linear(seen_width, d_model, True)
        self.v_proj = Linear(seen_width, d_model, True)
        self.o_proj = Linear(d_model, d_model, True)

    def flops(self, batch: int, length: int) -> Flops:
        """Projections, scores and weighted sum: 4 · width for each pair."""
        seen = self.seen or length
        own = (self.q_proj.flops(batch, length), self.o_proj.flops(batch, length))
        keys = (self.k_proj.flops(batch, seen), self.v_proj.flops(batch, seen))
        pairs = 4 * batch * self.width * length * seen
        return sum((*own, *keys), Flops(pairs, 0, round(pairs * self.masked)))

    def forward(self, x: Array, seen: Array, mask: Array | None = None) -> Array:
        """(B, T, d_model) to (B, S, seen_width) -> (B, T, d_model)."""
        q, k, v = (
            y.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for y in (self.q_proj(x), self.k_proj(seen), self.v_proj(seen))
        )
        return self.o_proj(x.trace.attend(q, k, v, mask).transpose(1, 2).flatten(2))


class Modulation(PerSample):
    """`count` vectors of width `d_model` from each of `vectors` conditions of a sample."""

    def __init__(self, d_model: int, count: int, vectors: int = 1) -> None:
        super().__init__(d_model, count * d_model, vectors)
        self.pieces = count

    def forward(self, x: Array) -> tuple[Array, ...]:
        """(B, D), or (B, T, D) where positions differ -> `count` of (B, 1 or T, D)."""
        vectors = super().forward(x.apply("silu"))
        return vectors.view(vectors.shape[0], -1, vectors.shape[-1]).chunk(self.pieces)


class DitBlock(Part):
    """Modulated self-attention and MLP (Peebles & Xie, 2023, section 3.2, adaLN-zero).

    With a `context_width`, also attention to `context_length` vectors of that width
    (`CrossDitBlock`). `conditions` vectors of a sample modulate it, `masked` is the share of pairs
    that a mask leaves out of self-attention.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        d_ff: int,
        context_width: int = 0,
        context_length: int = 0,
        *,
        conditions: int = 1,
        masked: float = 0.0,
    ) -> None:
        super().__init__()
        self.modulation = Modulation(d_model, 6, conditions)
        self.attn = DitAttention(d_model, n_heads, d_model, masked=masked)
        self.mlp = dit_mlp(d_model, d_ff)
        if context_width:
            self.cross_norm = Norm(d_model, "layernorm", True)
            self.cross_attn = DitAttention(d_model, n_heads, context_width, context_length)

    def forward(
        self, x: Array, c: Array, context: Array | None = None, mask: Array | None = None
    ) -> Array:
        """(B, T, D) under (B, D) or (B, T, D), and (B, S, context_width) -> (B, T, D)."""
        normalise = x.trace.normalise
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = self.modulation(c)
        y = modulate(normalise(x), shift_attn, scale_attn)
        x = x + gate_attn * self.attn(y, y, mask)
        if context is not None:
            x = x + self.cross_attn(self.cross_norm(x), context)
        y = modulate(normalise(x), shift_mlp, scale_mlp)
        return x + gate_mlp * self.mlp(y)


class FinalLayer(Part):
    """A modulated norm and the projection to what every position predicts."""

    def __init__(self, d_model: int, width_out: int, conditions: int = 1) -> None:
        super().__init__()
        self.modulation = Modulation(d_model, 2, conditions)
        self.proj = Linear(d_model, width_out, True)

    def forward(self, x: Array, c: Array) -> Array:
        """(B, T, D) under (B, D) or (B, T, D) -> (B, T, width_out)."""
        shift, scale = self.modulation(c)
        return self.proj(modulate(x.trace.normalise(x), shift, scale))


def dit_mlp(d_model: int, d_ff: int) -> MLP:
    """The feed-forward network of a block."""
    return MLP(d_model, d_ff, gated=False, bias=True, activation="gelu_tanh")


def sinusoids(times: Array, width: int) -> Array:
    """Cosines and sines of times, (...) -> (..., width), in fp32."""
    angles = times.unsqueeze(-1).float() * times.trace.new((width // 2,), "fp32")
    return concatenate((angles.apply("cos"), angles.apply("sin")))


def modulate(x: Array, shift: Array, scale: Array) -> Array:
    """Move normalised features, (B, T, D) and (B, 1 or T, D) twice -> (B, T, D)."""
    return x * (1.0 + scale) + shift


def unpatch(x: Array, patch_size: int, side: int) -> Array:
    """Patches as a picture, (B, N, patch_size² · C) -> (B, C, side, side); single places stay."""
    x = x.copy() if patch_size > 1 else x
    return x.view(x.shape[0], -1, side, side)
