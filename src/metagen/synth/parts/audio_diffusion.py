"""Sound out of noise: the autoencoder of waveforms, the diffusion transformer, the release."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .autoencoder_kl import unit_scale
from .base import Flops, Linear, Part, Repeat
from .codec import Decoder, Encoder
from .convolution import convolve
from .diffusion import denoising_loss, guided, sample
from .dit_block import DitBlock, FinalLayer, PerSample, TimeEmbedding, modulate, sinusoids
from .prompt_encoder import PromptEncoder, pooled, seen_tokens
from .spectra import reconstruction_loss

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class Pointwise(Part):
    """A convolution of one position, at every `hop`-th sample of the `length`."""

    def __init__(self, inputs: int, outputs: int, hop: int) -> None:
        super().__init__()
        self.hop = hop
        self.parameter("weight", outputs, inputs, 1)
        self.parameter("bias", outputs)

    def flops(self, batch: int, length: int) -> Flops:
        """2 · weights for every frame."""
        return Flops(2 * batch * -(-length // self.hop) * self.tensors["weight"].numel)

    def forward(self, x: Array) -> Array:
        """(B, D, T) -> (B, D', T)."""
        return convolve(x, x.trace.matrix(self), x.shape[2:])


class WaveAutoencoder(Part):
    """SEANet to the moments of a code and back; `length` is in samples."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        features, codes, self.hop = dims["codebook_dim"], dims["latent_channels"], hop_of(dims)
        self.encoder = Encoder(dims)
        self.to_moments = Pointwise(features, 2 * codes, self.hop)
        self.from_codes = Pointwise(codes, features, self.hop)
        self.decoder = Decoder(dims)

    def encode_flops(self, batch: int, samples: int) -> Flops:
        """FLOPs of the way to the moments."""
        return self.encoder.flops(batch, samples) + self.to_moments.flops(batch, samples)

    def decode_flops(self, batch: int, samples: int) -> Flops:
        """FLOPs of the way back."""
        return self.from_codes.flops(batch, samples) + self.decoder.flops(batch, samples)

    def moments(self, waveform: Array) -> tuple[Array, Array]:
        """Means and log-variances of codes, (B, 1, N) -> (B, T, Z) twice, in fp32."""
        frames = self.encoder(waveform.to(waveform.trace.weights))
        mean, log_variance = self.to_moments(frames).float().transpose(1, 2).chunk(2, 2)
        return mean, log_variance.apply("clamp")

    def encode(self, waveform: Array) -> Array:
        """Codes of unit scale, (B, 1, N) -> (B, T, Z)."""
        return unit_scale(self.moments(waveform)[0])

    def decode(self, codes: Array) -> Array:
        """Waveforms, (B, T, Z) -> (B, 1, N)."""
        frames = self.from_codes(codes.transpose(1, 2).to(codes.trace.weights))
        return self.decoder(frames)

    def learn(self, waveform: Array, noise: Array) -> None:
        """What (B, 1, N) lose on the way, and the divergence of codes (B, T, Z) from noise."""
        mean, log_variance = self.moments(waveform)
        restored = self.decode(unit_scale(mean + (log_variance / 2).apply("exp") * noise))
        restored = restored.narrow(-1, waveform.shape[-1])
        (mean.apply("pow") + log_variance.apply("exp") - 1.0 - log_variance).mean()
        reconstruction_loss(restored, waveform)


class AudioBlock(DitBlock):
    """A modulated block that attends to the tokens of a prompt between its two halves."""

    def forward(self, x: Array, c: Array, states: Array, seen: Array) -> Array:
        """(B, T, D) under (B, D), and under the `seen` ones of (B, S, W) -> (B, T, D)."""
        normalise = x.trace.normalise
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = self.modulation(c)
        y = modulate(normalise(x), shift_attn, scale_attn)
        x = x + gate_attn * self.attn(y, y)
        x = x + self.cross_attn(self.cross_norm(x), states, seen)
        y = modulate(normalise(x), shift_mlp, scale_mlp)
        return x + gate_mlp * self.mlp(y)


class AudioDit(Part):
    """Twin of the denoiser; `flops` of one pass over `length` frames."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, codes = dims["d_model"], dims["latent_channels"]
        self.frame_proj = Linear(2 * codes + 1 if dims["continued"] else codes, width, True)
        self.time_embed = TimeEmbedding(dims["time_features"], width)
        if dims["conditioned"]:
            self.text_embed = PerSample(dims["text_d_model"], width)
        self.blocks = Repeat(audio_block(dims), dims["n_layers"])
        self.final = FinalLayer(width, codes)

    def forward(
        self,
        noisy: Array,
        times: Array,
        given: Array | None = None,
        states: Array | None = None,
        tokens: Array | None = None,
    ) -> Array:
        """(B, T, Z) at (B,), beside (B, T, Z + 1) and under (B, S, W) -> (B, T, Z)."""
        trace = noisy.trace
        inputs = noisy if given is None else concatenate((noisy, given), 2)
        x = self.frame_proj(inputs.to(trace.weights))
        places = trace.new((x.shape[1],), "int64")
        x = x + sinusoids(places, x.shape[2]).to(x.dtype)
        c = self.time_embed(times)
        told: tuple[Array, ...] = ()
        if states is not None:
            c = c + self.text_embed(pooled(states, tokens))
            seen = seen_tokens(tokens)
            told = states, seen.view(seen.shape[0], 1, 1, -1)
        for block in self.blocks.each(trace, wrapped=True):
            x = block(x, c, *told)
        return self.final(x, c)


class AudioDiffusion(Part):
    """Prompt encoder, autoencoder, denoiser; `flops` of one denoising step over `length` frames."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        if dims["conditioned"]:
            self.text_encoder = PromptEncoder(dims)
        self.autoencoder = WaveAutoencoder(dims)
        self.denoiser = AudioDit(dims)
        self.dims = dims

    def flops(self, batch: int, length: int) -> Flops:
        return self.denoiser.flops(batch, length)

    def read_flops(self, batch: int) -> Flops:
        """FLOPs of reading prompts."""
        reader = self.children.get("text_encoder")
        return reader.flops(batch, 1) if reader else Flops()

    def told(
        self, trace: Trace, batch: int, frames: int, opening: Array | None
    ) -> dict[str, Array]:
        """What the denoiser is told of sounds of so many frames, if they begin with an opening."""
        told: dict[str, Array] = {}
        if "text_encoder" in self.children:
            tokens = trace.new((batch, self.text_encoder.length), "int64")
            trace.keep(tokens)
            told |= {"tokens": tokens, "states": self.text_encoder(tokens)}
        if opening is not None:
            with trace.frozen():
                codes = self.autoencoder.encode(opening)
            told["given"] = known(codes, frames)
        return told

    def opening(self, batch: int) -> tuple[int, ...]:
        """The shape of openings."""
        return batch, 1, self.dims["given_frames"] * self.autoencoder.hop

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The error over `length` frames, and the autoencoder's, which learns at first."""
        dims, hop, codes = self.dims, self.autoencoder.hop, self.dims["latent_channels"]
        waveform = trace.given(batch, 1, length * hop)
        with trace.frozen():
            clean = self.autoencoder.encode(waveform)
        opening = trace.given(*self.opening(batch)) if dims["continued"] else None
        told = self.told(trace, batch, length, opening)
        denoising_loss(
            dims["prediction"],
            lambda noisy, at: self.denoiser(noisy, at, **told),
            clean,
            trace.given(batch, length, codes),
        )
        taught = dims["autoencoder_frames"]
        noise = trace.given(batch, taught, codes)
        with trace.first_stage():
            self.autoencoder.learn(waveform.narrow(-1, taught * hop), noise)

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Sounds out of noise: conditions, a denoising step with and without, the decoder."""
        dims = self.dims
        noise = trace.new((batch, length, dims["latent_channels"]), "fp32")
        opening = trace.new(self.opening(batch)) if dims["continued"] else None
        with trace.phase("prompt"):
            told = untold = self.told(trace, batch, length, opening)
            if dims["guidance_scale"] != 1:
                untold = self.told(trace, batch, length, opening)
        denoise = guided(
            lambda noisy, at: self.denoiser(noisy, at, **told).to(noisy.dtype),
            lambda noisy, at: self.denoiser(noisy, at, **untold).to(noisy.dtype),
            dims["guidance_scale"],
        )
        codes = sample(dims["prediction"], denoise, noise, dims["sampling_steps"])
        with trace.phase("decoder"):
            self.autoencoder.decode(codes).float().apply("clamp")


def known(codes: Array, frames: int) -> Array:
    """What is told of a sound of so many frames, (B, T, Z) -> (B, frames, Z + 1)."""
    told = concatenate((codes, codes.trace.new((*codes.shape[:2], 1), codes.dtype)), 2)
    return (told * 1.0).pad(1, frames - told.shape[1])


def audio_block(dims: Mapping[str, Any]) -> DitBlock:
    """A block of the denoiser."""
    sizes = dims["d_model"], dims["n_heads"], dims["d_ff"]
    if dims["conditioned"]:
        return AudioBlock(*sizes, dims["text_d_model"], dims["prompt_length"])
    return DitBlock(*sizes)


def hop_of(dims: Mapping[str, Any]) -> int:
    """Samples of a frame."""
    return prod(dims["ratios"])
