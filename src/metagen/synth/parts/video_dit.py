"""The diffusion transformer over clips, and the release around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .autoencoder_kl import Autoencoder
from .base import Flops, Linear, Part, Repeat
from .dit_block import DitBlock, FinalLayer, PerSample, TimeEmbedding
from .prompt_encoder import PromptEncoder


def grid(dims: Mapping[str, Any]) -> tuple[int, int]:
    """Groups of frames of a clip, and patches of each."""
    side = dims["image_size"] // 2 ** (len(dims["ae_channels"]) - 1) // dims["patch_size"]
    return dims["frames"] // dims["tubelet"], side * side


class VideoBlock(DitBlock):
    """A block whose self-attention runs `along` space, time, or both; `size` is (groups, patches).

    `flops` counts as much attention as that costs.
    """

    def __init__(self, dims: Mapping[str, Any], along: str) -> None:
        text = (dims["text_d_model"], dims["prompt_length"]) if dims["reads_text"] else ()
        super().__init__(dims["d_model"], dims["n_heads"], dims["d_ff"], *text)
        self.along, self.size = along, grid(dims)

    def flops(self, batch: int, length: int) -> Flops:
        groups, patches = self.size
        lines, seen = {"space": (groups, patches), "time": (patches, groups)}.get(
            self.along, (1, length)
        )
        others = (c for name, c in self.children.items() if name != "attn")
        own = self.attn.flops(batch * lines, seen)
        return sum((child.flops(batch, length) for child in others), own)


class VideoBlocks(Repeat):
    """Blocks along space and time in turn, or all of them over both."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        full = dims["clip_attention"] == "full"
        kinds = ("both", "both") if full else ("space", "time")
        first, second = (VideoBlock(dims, along) for along in kinds)
        super().__init__(first, dims["n_layers"])
        object.__setattr__(self, "second", second)  # the same tensors at another cost

    def flops(self, batch: int, length: int) -> Flops:
        first, second = (block.flops(batch, length) for block in (self.block, self.second))
        return first * ((self.n + 1) // 2) + second * (self.n // 2)


class VideoDit(Part):
    """Twin of the denoiser; `flops` are those of one pass over `batch` clips."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, codes = dims["d_model"], dims["latent_channels"]
        voxels = dims["tubelet"] * dims["patch_size"] ** 2
        groups, patches = grid(dims)
        self.positions = groups * patches
        seen = 2 * codes + 1 if dims["conditioned"] else codes
        self.patch_embed = Linear(seen * voxels, width, True)
        self.time_embed = TimeEmbedding(dims["time_features"], width)
        if dims["reads_text"]:
            self.text_embed = PerSample(dims["text_d_model"], width)
        self.blocks = VideoBlocks(dims)
        self.final = FinalLayer(width, codes * voxels)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)


class VideoDiffusion(Part):
    """Prompt encoder, autoencoder of frames, denoiser; `flops` of one denoising step."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        if dims["reads_text"]:
            self.text_encoder = PromptEncoder(dims)
        self.autoencoder = Autoencoder(dims)
        self.denoiser = VideoDit(dims)

    def flops(self, batch: int, length: int) -> Flops:
        return self.denoiser.flops(batch, length)

    def read_flops(self, batch: int) -> Flops:
        """FLOPs of reading prompts."""
        reader = self.children.get("text_encoder")
        return reader.flops(batch, 1) if reader else Flops()
