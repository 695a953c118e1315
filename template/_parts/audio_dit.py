"""A diffusion transformer over sounds: it sees noisy codes and says what of them is noise.

Shapes are written in letters:

    B  sounds in the batch           D  features of the residual stream
    T  frames of a sound             S  tokens of a prompt
    Z  channels of a code            W  features of a token
"""

import torch
from torch import Tensor, nn

from .config import Config
from .dit_block import (
    DitAttention,
    DitBlock,
    FinalLayer,
    TimeEmbedding,
    init_dit_weight,
    modulate,
    sinusoids,
)
from .prompt_encoder import pooled, seen_tokens


class AudioBlock(DitBlock):
    """A modulated block that attends to the tokens of a prompt between its two halves."""

    def __init__(self, config: Config):
        super().__init__(config.d_model, config.n_heads, config.d_ff)
        self.cross_norm = nn.LayerNorm(config.d_model, 1e-6)
        self.cross_attn = DitAttention(config.d_model, config.n_heads, config.text_d_model)

    def forward(self, x: Tensor, c: Tensor, states: Tensor, seen: Tensor) -> Tensor:
        """One layer over (B, T, D) under (B, D), and under the `seen` ones of (B, S, W)."""
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = self.modulation(c)
        y = modulate(self.attn_norm(x), shift_attn, scale_attn)
        x = x + gate_attn * self.attn(y, y)
        x = x + self.cross_attn(self.cross_norm(x), states, seen)
        y = modulate(self.mlp_norm(x), shift_mlp, scale_mlp)
        return x + gate_mlp * self.mlp(y)


class AudioDit(nn.Module):
    """Frames at their positions, modulated blocks over all of them, a prediction for each."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim, codes = config.d_model, config.latent_channels
        if config.continued:  # beside what is noisy: what is given, and where
            self.frame_proj = nn.Linear(2 * codes + 1, dim)
        else:
            self.frame_proj = nn.Linear(codes, dim)
        self.time_embed = TimeEmbedding(config.time_features, dim)
        if config.conditioned:
            self.text_embed = nn.Linear(config.text_d_model, dim)
            self.blocks = nn.ModuleList(AudioBlock(config) for _ in range(config.n_layers))
        else:
            sizes = dim, config.n_heads, config.d_ff
            self.blocks = nn.ModuleList(DitBlock(*sizes) for _ in range(config.n_layers))
        self.final = FinalLayer(dim, codes)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`."""
        init_dit_weight(name, weight, generator)

    def forward(
        self,
        noisy: Tensor,
        times: Tensor,
        given: Tensor | None = None,
        states: Tensor | None = None,
        tokens: Tensor | None = None,
    ) -> Tensor:
        """What noisy codes at their times, (B, T, Z) and (B,), are made of.

        `given` has the same frames clean where they are known, zero elsewhere, and a channel that
        is 1 where they are: (B, T, Z + 1). `states` are (B, S, W), `tokens` (B, S).
        """
        if self.config.continued:
            inputs = torch.cat((noisy, given), dim=2)
        else:
            inputs = noisy
        x = self.frame_proj(inputs.to(self.frame_proj.weight.dtype))  # (B, T, D)
        places = torch.arange(x.size(1), device=x.device)
        x = x + sinusoids(places, x.size(2)).to(x.dtype)
        c = self.time_embed(times)  # (B,) -> (B, D)
        if self.config.conditioned:
            c = c + self.text_embed(pooled(states, tokens))
            seen = seen_tokens(tokens)[:, None, None]  # (B, 1, 1, S)
            for block in self.blocks:
                x = block(x, c, states, seen)
        else:
            for block in self.blocks:
                x = block(x, c)
        return self.final(x, c)  # (B, T, D) -> (B, T, Z)
