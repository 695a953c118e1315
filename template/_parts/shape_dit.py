"""A diffusion transformer over shapes: it sees noise in space and says what of it is a shape.

Shapes are written in letters:

    B  shapes in the batch           D  features of the residual stream
    T  tokens: patches, or points    O  numbers of a token: its distances, or coordinates
    G  voxels of a side              S  tokens of a prompt, W features of each
    C  channels of a picture         P  patches of it, or vectors that are looked at
    Y, X  its rows and columns
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .dit_block import (
    CrossDitBlock,
    DitBlock,
    FinalLayer,
    TimeEmbedding,
    init_dit_weight,
    sine_positions,
    sinusoids,
)
from .prompt_encoder import pooled


class ShapeDit(nn.Module):
    """Tokens in space, modulated blocks over them, and a prediction for each.

    A token is a cube of voxels, told where it is; or a point, which only its coordinates tell from
    others, so that their order means nothing.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim = config.d_model
        if config.representation == "grid":
            numbers = config.patch_size**3
        else:
            numbers = 3
        self.in_proj = nn.Linear(numbers, dim)
        self.time_embed = TimeEmbedding(config.time_features, dim)
        if config.reads_text:
            self.text_proj = nn.Linear(config.text_d_model, dim)
        if config.reads_image:
            self.picture_proj = nn.Linear(config.channels * config.picture_patch**2, dim)
        if config.labelled:  # the last row stands for no class
            self.label_embed = nn.Embedding(config.num_classes + 1, dim)
        if config.reads_text or config.reads_image:
            self.blocks = nn.ModuleList(
                CrossDitBlock(dim, config.n_heads, config.d_ff, dim) for _ in range(config.n_layers)
            )
        else:
            self.blocks = nn.ModuleList(
                DitBlock(dim, config.n_heads, config.d_ff) for _ in range(config.n_layers)
            )
        self.final = FinalLayer(dim, numbers)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`."""
        init_dit_weight(name, weight, generator)

    def forward(
        self,
        noisy: Tensor,
        times: Tensor,
        states: Tensor | None = None,
        tokens: Tensor | None = None,
        pictures: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Tensor:
        """What noisy shapes at their times, (B, G, G, G) or (B, T, 3), and (B,), are made of.

        What is wanted are prompts, (B, S), with their `states`, (B, S, W); `pictures`,
        (B, C, Y, X); and `labels`, (B,).
        """
        noisy = noisy.to(self.in_proj.weight.dtype)
        if self.config.representation == "grid":
            x = self.in_proj(cubes(noisy, self.config.patch_size))  # (B, T, O) -> (B, T, D)
            x = x + space_positions(self.config.grid_size // self.config.patch_size, x)
        else:
            x = self.in_proj(noisy)  # (B, T, O) -> (B, T, D)
        c = self.time_embed(times)  # (B,) -> (B, D)
        if self.config.labelled:
            c = c + self.label_embed(labels)
        if self.config.reads_text:
            words = self.text_proj(states)  # (B, S, W) -> (B, S, D)
            c = c + pooled(words, tokens)
        if self.config.reads_image:
            seen = self.see(pictures)  # (B, C, Y, X) -> (B, P, D)
            c = c + seen.mean(dim=1)
        if self.config.reads_text and self.config.reads_image:
            told = torch.cat((words, seen), dim=1)  # (B, P, D)
        elif self.config.reads_text:
            told = words
        elif self.config.reads_image:
            told = seen
        if self.config.reads_text or self.config.reads_image:
            for block in self.blocks:
                x = block(x, c, told)
        else:
            for block in self.blocks:
                x = block(x, c)
        made = self.final(x, c)  # (B, T, D) -> (B, T, O)
        if self.config.representation == "grid":
            return grid_of(made, self.config.patch_size)
        else:
            return made

    def see(self, pictures: Tensor) -> Tensor:
        """Vectors for the patches of pictures, (B, C, Y, X) -> (B, P, D)."""
        size = self.config.picture_patch
        squares = F.unfold(pictures.to(self.picture_proj.weight.dtype), size, stride=size)
        seen = self.picture_proj(squares.transpose(1, 2))
        return seen + sine_positions(pictures.size(-1) // size, seen.size(-1)).to(seen)


def cubes(grid: Tensor, size: int) -> Tensor:
    """Grids cut into cubes of `size` voxels a side, (B, G, G, G) -> (B, T, size^3)."""
    for axis in (1, 3, 5):
        grid = grid.unflatten(axis, (-1, size))
    return grid.permute(0, 1, 3, 5, 2, 4, 6).flatten(4).flatten(1, 3)


def grid_of(x: Tensor, size: int) -> Tensor:
    """The way back, (B, T, size^3) -> (B, G, G, G)."""
    side = round(x.size(1) ** (1 / 3))
    x = x.view(len(x), side, side, side, size, size, size).permute(0, 1, 4, 2, 5, 3, 6)
    return x.flatten(5).flatten(3, 4).flatten(1, 2)


def space_positions(side: int, like: Tensor) -> Tensor:
    """Fixed positions of the cubes, (side^3, D): a third of the features for each axis."""
    dim = like.size(-1)
    each = dim // 6 * 2
    axis = sinusoids(torch.arange(side, device=like.device), each)  # (side, D / 3)
    shape = (side, side, side, each)
    views = (axis[:, None, None], axis[None, :, None], axis[None, None])
    table = torch.cat([view.expand(shape) for view in views], dim=-1)
    table = F.pad(table.flatten(0, 2), (0, dim - 3 * each))
    return (table * math.sqrt(0.5)).to(like)
