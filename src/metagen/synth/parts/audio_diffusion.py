"""Sound out of noise: the autoencoder of waveforms, the diffusion transformer, the release."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from .base import Flops, Linear, Part, Repeat
from .codec import Decoder, Encoder
from .dit_block import DitBlock, FinalLayer, PerSample, TimeEmbedding
from .prompt_encoder import PromptEncoder


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


class AudioDiffusion(Part):
    """Prompt encoder, autoencoder, denoiser; `flops` of one denoising step over `length` frames."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        if dims["conditioned"]:
            self.text_encoder = PromptEncoder(dims)
        self.autoencoder = WaveAutoencoder(dims)
        self.denoiser = AudioDit(dims)

    def flops(self, batch: int, length: int) -> Flops:
        return self.denoiser.flops(batch, length)

    def read_flops(self, batch: int) -> Flops:
        """FLOPs of reading prompts."""
        reader = self.children.get("text_encoder")
        return reader.flops(batch, 1) if reader else Flops()


def audio_block(dims: Mapping[str, Any]) -> DitBlock:
    """A block of the denoiser."""
    text = (dims["text_d_model"], dims["prompt_length"]) if dims["conditioned"] else ()
    return DitBlock(dims["d_model"], dims["n_heads"], dims["d_ff"], *text)


def hop_of(dims: Mapping[str, Any]) -> int:
    """Samples of a frame."""
    return prod(dims["ratios"])
