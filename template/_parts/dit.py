"""A diffusion transformer: a sequence of noisy patches, told the time and what is wanted.

Shapes are written in letters:

    B  samples in the batch          D  features of the residual stream
    C  channels of what is noisy     N  patches
    Y  rows, X  columns              T, S  positions that look, that are looked at
"""

import torch
from torch import Tensor, nn

from .config import Config
from .dit_block import DitBlock, FinalLayer, TimeEmbedding, init_dit_weight, sine_positions, unpatch
from .patch_embed import PatchEmbed


class Dit(nn.Module):
    """Patches, adaLN-zero blocks over them, and a prediction for every patch.

    From `channels_in` channels of a square of `side` rows to `channels_out`.
    """

    def __init__(self, config: Config, channels_in: int, channels_out: int, side: int):
        super().__init__()
        self.config = config
        dim = config.d_model
        self.grid = side // config.patch_size
        self.pos_embed = nn.Parameter(sine_positions(self.grid, dim)[None], requires_grad=False)
        self.patch_embed = PatchEmbed(channels_in, dim, config.patch_size)
        self.time_embed = TimeEmbedding(config.time_features, dim)
        if config.condition == "class":  # the last row stands for no class
            self.label_embed = nn.Embedding(config.num_classes + 1, dim)
        self.blocks = nn.ModuleList(
            DitBlock(dim, config.n_heads, config.d_ff) for _ in range(config.n_layers)
        )
        self.final = FinalLayer(dim, config.patch_size**2 * channels_out)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`."""
        if name.endswith("pos_embed"):
            weight.copy_(sine_positions(self.grid, self.config.d_model))
        else:
            init_dit_weight(name, weight, generator)

    def forward(self, noisy: Tensor, times: Tensor, labels: Tensor | None = None) -> Tensor:
        """What the noisy samples at their times, (B, C, Y, X) and (B,), are made of."""
        x = self.patch_embed(noisy) + self.pos_embed  # (B, C, Y, X) -> (B, N, D)
        c = self.time_embed(times)  # (B,) -> (B, D)
        if self.config.condition == "class":
            c = c + self.label_embed(labels)
        for block in self.blocks:
            x = block(x, c)
        return unpatch(self.final(x, c), self.config.patch_size)  # (B, N, D) -> (B, C, Y, X)
