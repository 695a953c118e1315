"""A release that makes pictures out of noise: prompt encoder, autoencoder and denoiser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .autoencoder_kl import Autoencoder
from .base import Part
from .prompt_encoder import PromptEncoder

#: Makes the denoiser from dimensions, channels that it reads and writes, and the side of its maps.
Denoiser = Callable[[Mapping[str, Any], int, int, int], Part]


class ImageDiffusion(Part):
    """The networks of a release in their order; only `denoiser` is always there."""

    def __init__(self, dims: Mapping[str, Any], denoiser: Denoiser) -> None:
        super().__init__()
        if dims["condition"] == "text":
            self.text_encoder = PromptEncoder(dims)
        if dims["space"] == "latent":
            self.autoencoder = Autoencoder(dims)
        channels, side = diffused(dims)
        self.denoiser = denoiser(dims, channels + beside(dims), channels, side)


def diffused(dims: Mapping[str, Any]) -> tuple[int, int]:
    """Channels and side of what is denoised: a picture, or its code."""
    if dims["space"] == "pixel":
        return dims["channels"], dims["image_size"]
    return dims["latent_channels"], dims["image_size"] // 2 ** (len(dims["ae_channels"]) - 1)


def beside(dims: Mapping[str, Any]) -> int:
    """Channels that the denoiser sees beside the noisy ones: a given picture, and its mask."""
    channels, _ = diffused(dims)
    return {"none": 0, "picture": channels, "inpaint": channels + 1}[dims["image_condition"]]
