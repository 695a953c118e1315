"""Diffusion: what a denoiser learns from noisy samples, and a step of the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..arrays import Array

#: (B, ...) noisy and (B,) times -> (B, ...) output.
Denoise = Callable[["Array", "Array"], "Array"]


def corrupt(clean: Array, noise: Array) -> Array:
    """Noisy samples, (B, ...)."""
    return clean * 1.0 + noise * 1.0


def target(prediction: str, clean: Array, noise: Array) -> Array:
    """What the denoiser should answer, (B, ...)."""
    if prediction == "noise":
        return noise
    return noise - clean if prediction == "flow" else noise * 1.0 - clean * 1.0


def denoising_loss(prediction: str, denoise: Denoise, clean: Array, noise: Array) -> None:
    """Mean squared error of the denoiser at random times."""
    at = clean.trace.new((clean.shape[0],), "fp32")
    output = denoise(corrupt(clean, noise), at)
    output.float().squared_error(target(prediction, clean, noise).float())


def hybrid_loss(denoise: Denoise, clean: Array, noise: Array) -> None:
    """Squared error of the noise, and the variational bound of a learned variance."""
    at = clean.trace.new((clean.shape[0],), "fp32")
    noisy = corrupt(clean, noise)
    output, place = denoise(noisy, at).float().chunk(2, 1)
    bits = step_bits(clean, noisy, output.detach(), place)
    output.squared_error(noise.float())
    bits.mean()


def step_bits(clean: Array, noisy: Array, output: Array, place: Array) -> Array:
    """Bits by which every number's denoising step misses the true one, (B, C, Y, X)."""
    least = clean.trace.given(clean.shape[0], *[1] * (len(clean.shape) - 1))
    log_variance = least + (place + 1.0) / 2 * least
    missed = ((clean - split("noise", noisy, output)[0]) * 1.0).apply("pow")
    surprise = log_variance + missed * (-log_variance).apply("exp")
    first = surprise + 1.0
    later = surprise - least - 1.0 + (least - log_variance).apply("exp")
    return (first + later) / 2


def split(prediction: str, noisy: Array, output: Array) -> tuple[Array, Array]:
    """The clean samples and the noise that an output claims, each (B, ...)."""
    if prediction == "noise":
        return (noisy - output * 1.0) / 2, output
    if prediction == "flow":
        return noisy - output * 1.0, noisy + output * 1.0
    return noisy * 1.0 - output * 1.0, noisy * 1.0 + output * 1.0


def guided(conditional: Denoise, unconditional: Denoise, scale: float) -> Denoise:
    """Classifier-free guidance (Ho and Salimans, 2022); scale 1 is the conditional denoiser."""
    if scale == 1:
        return conditional

    def denoise(noisy: Array, times: Array) -> Array:
        free = unconditional(noisy, times)
        return free + (conditional(noisy, times) - free) * scale

    return denoise


def sample(
    prediction: str, denoise: Denoise, noise: Array, steps: int, *, limited: bool = False
) -> Array:
    """One of the last of `steps` denoising steps, beside what the one before it left."""
    trace, x = noise.trace, noise
    if steps > 1:
        x, clean, drawn = (trace.new(noise.shape, noise.dtype) for _ in range(3))
    with trace.phase("denoising step", steps):
        clean, drawn = split(prediction, x, denoise(x, trace.new((x.shape[0],), "fp32")))
        if limited:
            clean = clean.apply("clamp")
            drawn = (x - clean * 1.0) / 2
        return clean * 1.0 + drawn * 1.0
