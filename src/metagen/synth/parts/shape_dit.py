"""The diffusion transformer over shapes, and the release around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Embedding, Flops, Linear, Part, Repeat
from .dit_block import DitBlock, FinalLayer, PerSample, TimeEmbedding
from .prompt_encoder import PromptEncoder


def positions(dims: Mapping[str, Any]) -> int:
    """Tokens that attend to each other: cubes of voxels, or points."""
    if dims["representation"] == "points":
        return dims["num_points"]
    return (dims["grid_size"] // dims["patch_size"]) ** 3


def picture_patches(dims: Mapping[str, Any]) -> int:
    """Patches of a picture that is given."""
    return (dims["image_size"] // dims["picture_patch"]) ** 2


def told(dims: Mapping[str, Any]) -> int:
    """Vectors that every block may look at: tokens of a prompt and patches of a picture."""
    words = dims["prompt_length"] if dims["reads_text"] else 0
    return words + (picture_patches(dims) if dims["reads_image"] else 0)


def shape_block(dims: Mapping[str, Any]) -> DitBlock:
    """One block, which looks at what it is told where it is told anything."""
    context = (dims["d_model"], told(dims)) if told(dims) else ()
    return DitBlock(dims["d_model"], dims["n_heads"], dims["d_ff"], *context)


class ShapeDit(Part):
    """Twin of the denoiser; `flops` are those of one pass over `batch` shapes."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, self.positions = dims["d_model"], positions(dims)
        numbers = 3 if dims["representation"] == "points" else dims["patch_size"] ** 3
        self.in_proj = Linear(numbers, width, True)
        self.time_embed = TimeEmbedding(dims["time_features"], width)
        if dims["reads_text"]:
            self.text_proj = PerSample(dims["text_d_model"], width, dims["prompt_length"])
        if dims["reads_image"]:
            square = dims["channels"] * dims["picture_patch"] ** 2
            self.picture_proj = PerSample(square, width, picture_patches(dims))
        if dims["labelled"]:
            self.label_embed = Embedding(dims["num_classes"] + 1, width)
        self.blocks = Repeat(shape_block(dims), dims["n_layers"])
        self.final = FinalLayer(width, numbers)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)


class ShapeDiffusion(Part):
    """Prompt encoder where texts are read, and denoiser; `flops` of one denoising step."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        if dims["reads_text"]:
            self.text_encoder = PromptEncoder(dims)
        self.denoiser = ShapeDit(dims)

    def flops(self, batch: int, length: int) -> Flops:
        return self.denoiser.flops(batch, length)

    def read_flops(self, batch: int) -> Flops:
        """FLOPs of reading prompts."""
        reader = self.children.get("text_encoder")
        return reader.flops(batch, 1) if reader else Flops()
