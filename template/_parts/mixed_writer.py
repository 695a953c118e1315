"""Writing text about what was read.

Shapes are written in letters:

    B  samples in the batch          D  features of the residual stream
    S  tokens of a text              T  positions that are attended to
    V  tokens of the vocabulary
"""

import torch
from torch import Tensor, nn

from .config import Config
from .encoder_attention import Cache, Span
from .encoder_decoder import DecoderBlock


class Writer(nn.Module):
    """A causal decoder that attends to everything that was read."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.pos_embed = nn.Parameter(torch.empty(config.context_length, config.d_model))
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(DecoderBlock(config, i) for i in range(config.n_layers))
        self.norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size)

    def forward(self, memory: Tensor, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """Scores of the token after each of `tokens`, (B, S) -> (B, S, V).

        `memory` is what was read, (B, T, D); a `cache` is continued and filled.
        """
        start = 0 if cache is None else cache.seen
        positions = torch.arange(start, start + tokens.size(1), device=tokens.device)  # (S,)
        span = Span(self.config, positions, causal=tokens.size(1) > 1)
        x = self.embed(tokens) + self.pos_embed[positions]  # (B, S) -> (B, S, D)
        for block in self.blocks:
            x = block(x, span, memory, None, cache)
        if cache is not None:
            cache.seen += tokens.size(1)
        return self.lm_head(self.norm(x))  # (B, S, D) -> (B, S, V)

    @torch.inference_mode()
    def write(self, memory: Tensor, end: int) -> Tensor:
        """The likeliest tokens one after the other, (B, T, D) -> (B, S); `end` fills up rows."""
        batch = memory.size(0)
        shape = self.config.n_layers, batch, self.config.context_length
        cache = Cache(self.config, *shape, like=self.embed.weight)
        unread = torch.full((batch, 1), end, device=memory.device)
        done = torch.zeros_like(unread, dtype=torch.bool)  # (B, 1)
        written = []
        while len(written) < self.config.context_length and not done.all():
            unread = self(memory, unread, cache)[:, -1:].argmax(dim=-1).masked_fill(done, end)
            done |= unread == end
            written.append(unread)
        return torch.cat(written, dim=1)
