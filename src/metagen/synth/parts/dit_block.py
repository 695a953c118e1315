"""Layers of diffusion transformers, modulated by what the denoiser is told."""

from __future__ import annotations

from .base import Flops, Linear, Part
from .mlp import MLP
from .norms import Norm


class PerSample(Linear):
    """A linear layer with a bias that reads `vectors` vectors of a sample, not its positions."""

    def __init__(self, in_features: int, out_features: int, vectors: int = 1) -> None:
        super().__init__(in_features, out_features, True)
        self.vectors = vectors

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.vectors)


class TimeEmbedding(Part):
    """Sinusoids of width `dim_in` and an MLP to `d_model`, for `vectors` times of a sample."""

    def __init__(self, dim_in: int, d_model: int, vectors: int = 1) -> None:
        super().__init__()
        self.up_proj = PerSample(dim_in, d_model, vectors)
        self.down_proj = PerSample(d_model, d_model, vectors)


class DitAttention(Part):
    """Attention of `length` positions to `seen` vectors of width `seen_width`.

    Without `seen` a sequence sees itself. `masked` is the share of pairs that a mask leaves out.
    """

    def __init__(
        self, d_model: int, seen_width: int, seen: int | None = None, *, masked: float = 0.0
    ) -> None:
        super().__init__()
        self.width, self.seen, self.masked = d_model, seen, masked
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


class DitBlock(Part):
    """Modulated self-attention and MLP (Peebles & Xie, 2023, section 3.2, adaLN-zero).

    With a `context_width`, also attention to `context_length` vectors of that width
    (`CrossDitBlock`). `conditions` vectors of a sample modulate it, `masked` is the share of pairs
    that a mask leaves out of self-attention.
    """

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        context_width: int = 0,
        context_length: int = 0,
        *,
        conditions: int = 1,
        masked: float = 0.0,
    ) -> None:
        super().__init__()
        self.modulation = PerSample(d_model, 6 * d_model, conditions)
        self.attn = DitAttention(d_model, d_model, masked=masked)
        self.mlp = MLP(d_model, d_ff, gated=False, bias=True)
        if context_width:
            self.cross_norm = Norm(d_model, "layernorm", True)
            self.cross_attn = DitAttention(d_model, context_width, context_length)


class FinalLayer(Part):
    """A modulated norm and the projection to what every position predicts."""

    def __init__(self, d_model: int, width_out: int, conditions: int = 1) -> None:
        super().__init__()
        self.modulation = PerSample(d_model, 2 * d_model, conditions)
        self.proj = Linear(d_model, width_out, True)
