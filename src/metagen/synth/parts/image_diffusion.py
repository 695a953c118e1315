"""A release that makes pictures out of noise: prompt encoder, autoencoder and denoiser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .autoencoder_kl import Autoencoder, unit_scale
from .base import Part
from .convolution import resized
from .diffusion import Denoise, denoising_loss, guided, hybrid_loss, sample
from .prompt_encoder import PromptEncoder, pooled

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace

#: Makes the denoiser from dimensions, channels that it reads and writes, and the side of its maps.
Denoiser = Callable[[Mapping[str, Any], int, int, int], Part]


class ImageDiffusion(Part):
    """The networks of a release in their order; only `denoiser` is always there."""

    def __init__(self, dims: Mapping[str, Any], denoiser: Denoiser) -> None:
        super().__init__()
        if dims["condition"] == "text":
            self.text_encoder = PromptEncoder(dims)
        if dims["space"] == "latent":
            self.autoencoder = Autoencoder(dims, unit=True)
        channels, side = diffused(dims)
        self.denoiser = denoiser(dims, channels + beside(dims), channels, side)
        self.dims, self.noisy = dims, (channels, side, side)
        self.picture = dims["channels"], dims["image_size"], dims["image_size"]
        pictures = {"none": 0, "picture": 1, "inpaint": 2}[dims["image_condition"]]
        self.shown = (self.picture, (1, *self.picture[1:]))[:pictures]

    def encode(self, images: Array) -> Array:
        """What is denoised of pictures, (B, C, Y, X) -> (B, Z, y, x), without gradients."""
        if self.dims["space"] == "pixel":
            return images
        with images.trace.frozen():
            return self.autoencoder.latents(images)

    def decode(self, clean: Array) -> Array:
        """Pictures of what was denoised, (B, Z, y, x) -> (B, C, Y, X)."""
        if self.dims["space"] == "pixel":
            return clean
        return self.autoencoder.decode(unit_scale(clean))

    def given(self, trace: Trace, batch: int) -> tuple[Array, ...]:
        """What the denoiser is told: states of the prompt and their mean, labels, or nothing."""
        if self.dims["condition"] == "text":
            tokens = trace.new((batch, self.dims["prompt_length"]), "int64")
            trace.keep(tokens)
            states = self.text_encoder(tokens)
            return states, pooled(states, tokens)
        if self.dims["condition"] == "class":
            labels = trace.new((batch,), "int64")
            trace.keep(labels)
            return (labels,)
        return ()

    def denoise_for(self, trace: Trace, batch: int, shown: tuple[Array, ...]) -> Denoise:
        """The denoiser of a batch, which sees the pictures and the masks that are `shown`."""
        given = self.given(trace, batch)
        if not shown:
            return lambda noisy, at: self.denoiser(noisy, at, *given)
        picture = self.encode(shown[0])
        if shown[1:]:
            picture = concatenate((resized(shown[1], picture.shape[2:]), picture), 1)
        return lambda noisy, at: self.denoiser(concatenate((noisy, picture), 1), at, *given)

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The denoiser's error and, where codes are denoised, the autoencoder's."""
        images, noise = trace.given(batch, *self.picture), trace.given(batch, *self.noisy)
        clean = self.encode(images)
        shown = tuple(trace.given(batch, *shape) for shape in self.shown)
        denoise = self.denoise_for(trace, batch, shown)
        if self.dims.get("learned_variance"):
            hybrid_loss(denoise, clean, noise)
        else:
            denoising_loss(self.dims["prediction"], denoise, clean, noise)
        del denoise
        if self.dims["space"] == "latent":
            with trace.first_stage():
                self.autoencoder.reconstruction_loss(images, trace.given(batch, *self.noisy))

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Pictures out of noise: conditions, a denoising step with and without, the decoder."""
        dims = self.dims
        noise = trace.new((batch, *self.noisy))
        shown = tuple(trace.new((batch, *shape)) for shape in self.shown)
        denoise = self.denoise_for(trace, batch, shown)
        if dims["condition"] != "none":
            wanted = self.denoise_for(trace, batch, shown)
            denoise = guided(wanted, denoise, dims["guidance_scale"])
        if dims.get("learned_variance"):
            denoise = _first_half(denoise)
        steps, limited = dims["sampling_steps"], dims["space"] == "pixel"
        clean = sample(dims["prediction"], denoise, noise, steps, limited=limited)
        images = self.decode(clean)
        if dims["image_condition"] == "inpaint":
            images = images + shown[0]
        images.apply("clamp")


def _first_half(denoise: Denoise) -> Denoise:
    """A denoiser that predicts, of one that also says how sure it is."""
    return lambda noisy, at: denoise(noisy, at).chunk(2, 1)[0]


def diffused(dims: Mapping[str, Any]) -> tuple[int, int]:
    """Channels and side of what is denoised: a picture, or its code."""
    if dims["space"] == "pixel":
        return dims["channels"], dims["image_size"]
    return dims["latent_channels"], dims["image_size"] // 2 ** (len(dims["ae_channels"]) - 1)


def beside(dims: Mapping[str, Any]) -> int:
    """Channels that the denoiser sees beside the noisy ones: a given picture, and its mask."""
    channels, _ = diffused(dims)
    return {"none": 0, "picture": channels, "inpaint": channels + 1}[dims["image_condition"]]
