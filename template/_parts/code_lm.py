"""A language model of sound codes: each frame holds one code of every codebook.

Shapes are written in letters:

    B  sounds in the batch           H  attention heads
    Q  codebooks                     K  features of a head
    T  frames of a sound             D  features of the residual stream
    U  steps, T + Q - 1              F  hidden features of the MLP
    S  steps or states attended to   C  codes of a codebook
    L  layers                        V  choices of a draw, C
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .encoder_attention import Cache, CrossAttention, SelfAttention, Span
from .mlp import MLP
from .sampling import sample

UNKNOWN = -1  # a code that is still to be drawn


class CodeBlock(nn.Module):
    """Causal attention, attention to the condition where there is one, and MLP."""

    def __init__(self, config: Config, layer: int):
        super().__init__()
        self.config = config
        self.layer = layer
        self.attn_norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.attn = SelfAttention(config)
        if config.conditioned:
            self.cross_norm = nn.LayerNorm(config.d_model, config.norm_eps)
            self.cross = CrossAttention(config)
        self.mlp_norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.mlp = MLP(config)

    def forward(
        self, x: Tensor, span: Span, memory: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        x = x + self.attn(self.attn_norm(x), span, cache, self.layer)
        if self.config.conditioned:
            if cache is None:
                k, v = self.cross.keys_values(memory)  # (B, H, S, K)
            else:
                if len(cache.cross) == self.layer:
                    cache.cross.append(self.cross.keys_values(memory))
                k, v = cache.cross[self.layer]
            x = x + self.cross(self.cross_norm(x), k, v, None)
        return x + self.mlp(self.mlp_norm(x))


class CodeLM(nn.Module):
    """A decoder whose input is the sum, and whose output a choice, of one code per codebook.

    Copet et al. (2023, section 2): codebook q lags q steps behind the first, so that the codes of
    a frame are drawn one after another while every step advances all codebooks.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim, codes = config.d_model, config.codebook_size
        self.empty = codes  # the code of a step at which a codebook has none
        self.embeds = nn.ModuleList(nn.Embedding(codes + 1, dim) for _ in range(config.n_codebooks))
        self.blocks = nn.ModuleList(CodeBlock(config, layer) for layer in range(config.n_layers))
        self.norm = nn.LayerNorm(dim, config.norm_eps)
        self.heads = nn.ModuleList(
            nn.Linear(dim, codes, bias=False) for _ in range(config.n_codebooks)
        )

    def forward(
        self, codes: Tensor, memory: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """Scores of the codes that follow delayed ones, (B, Q, U) -> (B, Q, U, C).

        `memory`, (B, S, D), is the condition; a `cache` is continued and filled.
        """
        start, length = 0 if cache is None else cache.seen, codes.size(2)
        assert start == 0 or length == 1, "a cache is filled at once, then step by step"
        steps = torch.arange(start, start + length, device=codes.device)  # (U,)
        x = sum(embed(codes[:, q]) for q, embed in enumerate(self.embeds))  # (B, U, D)
        x = x + sinusoids(steps, self.config.d_model).to(x.dtype)
        span = Span(self.config, steps, causal=length > 1)  # the newest step sees all
        for block in self.blocks:
            x = block(x, span, memory, cache)
        if cache is not None:
            cache.seen += length
        x = self.norm(x)
        return torch.stack([head(x) for head in self.heads], dim=1)

    def loss(self, codes: Tensor, memory: Tensor | None = None) -> Tensor:
        """Mean negative log-likelihood in nats of codes, (B, Q, T)."""
        late = delay(codes, self.empty)  # (B, Q, U)
        start = torch.full_like(late[:, :, :1], self.empty)
        logits = self(torch.cat((start, late[:, :, :-1]), dim=2), memory)  # (B, Q, U, C)
        return F.cross_entropy(
            logits.flatten(0, 2).float(), late.flatten(), ignore_index=self.empty
        )

    def new_cache(self, batch_size: int, steps: int) -> Cache:
        """An empty cache for sequences of at most so many steps."""
        layers = self.config.n_layers
        return Cache(self.config, layers, batch_size, steps, like=self.norm.weight)

    @torch.inference_mode()
    def generate(
        self,
        codes: Tensor,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
        memory: Tensor | None = None,
        nothing: Tensor | None = None,
        guidance: float = 1.0,
    ) -> Tensor:
        """Draw what is `UNKNOWN` of codes, (B, Q, T), after the frames that are known.

        With `guidance` above 1, scores move that far from those for `nothing`, the empty condition.
        """
        known = int((codes[0, 0] != UNKNOWN).sum())  # frames
        grid = delay(codes, self.empty)  # (B, Q, U)
        guided = nothing is not None
        if guided:
            memory = torch.cat((memory, nothing))
        cache = self.new_cache(2 * len(grid) if guided else len(grid), grid.size(2))
        start = torch.full_like(grid[:, :, :1], self.empty)
        unread = torch.cat((start, grid[:, :, :known]), dim=2)
        for step in range(known, grid.size(2)):
            if guided:
                logits = self(unread.repeat(2, 1, 1), memory, cache)[:, :, -1]  # (2 B, Q, C)
                with_it, without = logits.chunk(2)
                logits = without + guidance * (with_it - without)
            else:
                logits = self(unread, memory, cache)[:, :, -1]  # (B, Q, C)
            drawn = sample(logits.flatten(0, 1), temperature, top_k, generator=generator)
            due = grid[:, :, step : step + 1]  # (B, Q, 1)
            unread = torch.where(due == UNKNOWN, drawn.view_as(due), due)
            grid[:, :, step : step + 1] = unread
        return align(grid)


def delay(codes: Tensor, empty: int) -> Tensor:
    """Let every codebook lag one step behind the one before, (B, Q, T) -> (B, Q, U)."""
    late = codes.size(1) - 1
    rows = [F.pad(row, (q, late - q), value=empty) for q, row in enumerate(codes.unbind(1))]
    return torch.stack(rows, dim=1)


def align(codes: Tensor) -> Tensor:
    """The inverse of `delay`: every codebook in step, (B, Q, U) -> (B, Q, T)."""
    frames = codes.size(2) - codes.size(1) + 1
    rows = [row[:, q : q + frames] for q, row in enumerate(codes.unbind(1))]
    return torch.stack(rows, dim=1)


def sinusoids(steps: Tensor, width: int) -> Tensor:
    """Fixed positions, (U,) -> (U, width): cosines, then sines, of falling frequency."""
    half = width // 2
    rates = 10_000.0 ** -(torch.arange(half, device=steps.device) / (half - 1))  # (D / 2,)
    angles = steps[:, None] * rates  # (U, D / 2)
    return torch.cat((angles.cos(), angles.sin()), dim=1)
